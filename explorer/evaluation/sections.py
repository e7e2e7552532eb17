"""The tables of a comparison: which measure stands in which column, and what it means."""

from explorer.analysis.table import Column, Section

CURVES_SECTION = Section(
    "Maps against scores, and over seeds",
    (
        Column("deletion_own", "deletion, own"),
        Column("insertion_own", "insertion, own"),
        Column("gap_own", "gap, own"),
        Column("deletion_score", "deletion, ŷ"),
        Column("insertion_score", "insertion, ŷ"),
        Column("gap_score", "gap, ŷ"),
        Column("pointing_box", "pointing at bird", ".0%"),
        Column("repeat_activation", "repeat, activation"),
        Column("repeat_map", "repeat, map"),
    ),
    "*Deletion* and *insertion* are areas under curves: the hottest patches of a photo are "
    "blurred away (low is good), or put back into the blurred photo (high is good); the photo "
    "scores 1, its blur 0, and by chance the *gap* between them is 0. *Own* follows the "
    "activation that a map explains, *ŷ* the classifier's score under all maps together. "
    "*Pointing* counts maps that are highest inside the bird's box. *Repeat* compares seeds: "
    "correlation of matched x-features' activations, overlap of matched maps (1 is the same).",
)

SECTIONS = (
    Section(
        "Faithfulness and locality",
        (
            Column("f_reg_train", "F_reg train"),
            Column("f_reg_test", "F_reg test"),
            Column("relative_f_reg_test", "of range", ".1%"),
            Column("r2_test", "R²"),
            Column("rank_agreement_test", "rank ρ"),
            Column("accuracy_test", "one-vs-all"),
            Column("locality", "locality"),
            Column("outside", "outside box", ".0%"),
            Column("mean_squared_cosine_test", "cos²"),
            Column("live_x_features", "live", ".1f"),
        ),
        "F_reg is the mean of |ȳ − ŷ|, *of range* the same over the range of ŷ; *one-vs-all* is "
        "how often ȳ in the place of ŷ tells the category from all others. Locality is in nats "
        "over the category's own test photos, low is local, with a 95 % bootstrap interval over "
        "categories. *cos²* is the mean squared cosine between x-features. In square brackets: "
        "the paper's figures, for 30 categories of CUB-200-2011 with VGG19.",
    ),
    CURVES_SECTION,
    Section(
        "Known parts of painted birds",
        (
            Column("telling_share", "heat on telling parts", ".0%"),
            Column("pointing_telling", "pointing at telling parts", ".0%"),
            Column("telling_area", "their area", ".0%"),
            Column("edit_score", "edit: fall of ŷ", ".2f"),
            Column("edit_error", "edit: error of ȳ", ".0%"),
            Column("edit_pointer", "edit: pointer's share", ".0%"),
            Column("edit_uniform", "even share", ".0%"),
            Column("edit_rank", "edit: rank ρ", ".2f"),
        ),
        "Known are the parts that tell a category from its nearest relatives. Heat and maxima are "
        "counted inside the box, where the parts' area is what chance would give. *Edit*: this "
        "mark alone is repainted as the relative's. The *pointer* is the x-feature with the most "
        "heat on it, its share that of all changes in contributions; *rank ρ* correlates heat "
        "there with the fall.",
    ),
    Section(
        "FunnyBirds protocols, adapted",
        (
            Column("single_deletion", "single deletion", ".2f"),
            Column("preservation_check", "preservation", ".2f"),
            Column("deletion_check", "deletion", ".2f"),
            Column("important_parts", "parts kept", ".1f"),
            Column("distractibility", "distractibility", ".2f"),
            Column("target_sensitivity", "target sensitivity", ".2f"),
            Column("background_independence", "background independence", ".2f"),
        ),
        "After Hesse et al., *FunnyBirds* (ICCV 2023), but parts turn grey instead of vanishing "
        "and there is one threshold. *Single deletion*: does the order of the parts' importance "
        "agree with the fall of ŷ when each is greyed (0.5 is chance)? *Preservation* and "
        "*deletion*: does the decision stay, or change, when all but the important parts, or just "
        "these, are greyed? *Distractibility*: does heat keep off an irrelevant leaf? *Target "
        "sensitivity*: do telling parts matter more to the category than to its relative? "
        "*Background independence* is the network's own. All are shares; 1 is best.",
    ),
)
"""Tables, in order. Measures without a column are in the file alone."""

SANITY_SECTION = Section(
    "Sanity checks: what is left on randomised networks",
    (
        Column("classifier_accuracy_test", "ŷ one-vs-all"),
        Column("accuracy_test", "ȳ one-vs-all"),
        Column("relative_f_reg_test", "F_reg of range", ".1%"),
        Column("telling_share", "heat on telling parts", ".0%"),
        Column("pointing_telling", "pointing at telling parts", ".0%"),
        Column("telling_area", "their area", ".0%"),
        Column("edit_score", "edit: fall of ŷ", ".2f"),
        Column("edit_pointer", "edit: pointer's share", ".0%"),
        Column("edit_uniform", "even share", ".0%"),
        Column("single_deletion", "single deletion", ".2f"),
        Column("target_sensitivity", "target sensitivity", ".2f"),
        Column("gap_own", "gap, own"),
        Column("gap_score", "gap, ŷ"),
        Column("similar_activation", "activation like trained"),
        Column("similar_map", "map like trained"),
    ),
    "After Adebayo et al., *Sanity Checks for Saliency Maps* (2018): the same methods on a network "
    "with random weights and on one that learnt random labels by heart. What still scores there "
    "comes from the picture, not from what the network learnt. *Like trained*: correlation of "
    "activations and overlap of maps with those on the trained network.",
)

COLUMNS = tuple(column for section in SECTIONS for column in section.columns)
