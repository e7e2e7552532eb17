"""Help texts: a plain explanation of every term and symbol on the pages."""

from types import MappingProxyType

HELP = MappingProxyType(
    {
        "x-feature": (
            "One of the few concepts that the module finds in what the network saw. Together they "
            "rebuild the network's score."
        ),
        "contribution": (
            "How much an x-feature adds to the score of a photo: its activation times its weight, "
            "vₙEₙ. With the base, if there is one, contributions add up to the module's score; "
            "negative ones lower it."
        ),
        "base": (
            "The module's score for a photo without any of its x-features, b. Scores may be "
            "negative, and x-features are not, so that the sum often starts below zero. The "
            "paper's method starts at 0."
        ),
        "y_hat": (
            "The network's own score for a category, before softmax, ŷ (y-hat). The network "
            "chooses the category with the highest score."
        ),
        "y_bar": "The same score, rebuilt by the module from its x-features alone, ȳ (y-bar).",
        "error": "How far the module's score is from the network's on a photo, |ȳ − ŷ|.",
        "f_reg": (
            "The mean error over photos, F_reg: how far the module's score is from the network's. "
            "The lower it is, the more faithful is the explanation to the network."
        ),
        "relative": "The mean error in per cent of the range of the network's scores.",
        "r2": "How much of the variation of the network's score the module follows; 100% is all.",
        "locality": (
            "The entropy of the heat over the parts of the bird: 0 if all of it lies on one part, "
            "highest if it is spread evenly. Low is local."
        ),
        "weighted_locality": (
            "Locality in which each x-feature counts as much as it contributes to the score; in "
            "the plain mean, all count the same."
        ),
        "effective_number": (
            "How many x-features carry the score: 1 if one does all the work, and their number if "
            "all contribute equally."
        ),
        "top_share": (
            "The largest contribution to a photo as a share of all, disregarding signs; the mean "
            "over photos."
        ),
        "overlap": (
            "How much of their heat two x-features share: 0% if they look at different places, "
            "100% if their maps are equal. The mean over pairs and photos."
        ),
        "auc": (
            "The area under the ROC curve: how often a photo of the category, drawn by chance, has "
            "a higher activation than a photo of another bird, equal ones counting half. 100% "
            "tells the category without fail, 50% is a coin, and below that other birds activate "
            "it more. It is of this x-feature alone; the module adds up all of them."
        ),
        "margin": (
            "How far the score of the category is above the next best one on a photo. Where it is "
            "negative, the network takes the bird for another."
        ),
        "live": "An x-feature is dead if it is inactive on all photos, and live otherwise.",
        "c-MWP": (
            "Contrastive excitation backprop: a map of where in the photo an x-feature, or a "
            "score, comes from. It follows the network backwards and keeps what speaks more for "
            "it than against it."
        ),
        "layer": (
            "The layer of the network at which a map is taken. The grid of relu1 is the finest; "
            "deeper layers are coarser and show larger shapes."
        ),
        "heat": (
            "Colours over the photo, a photo that is dark where there is no heat, or lines of "
            "equal heat that leave the photo visible. The numbers are the same."
        ),
        "scale": (
            "Heat shows where an x-feature looks, not how much it adds. So by default, the maps of "
            "a photo fade with their share of the score. On its own scale, each is drawn at full "
            "strength, even one that adds next to nothing; on one scale for all, narrow spots "
            "outshine wide ones."
        ),
        "crop": (
            "The bird fills the picture where its box is known, and otherwise the place of the "
            "heat. Measures always use the whole photo."
        ),
        "drawing": (
            "Smoothing is for the eye alone: no number on this page is computed from it. The raw "
            "grid shows every value of the map as it is."
        ),
        "off": (
            "Takes an x-feature's contribution out of the sum, to show what the module would say "
            "without it. The photo and the network stay as they are."
        ),
        "pixels": (
            "Pixel by pixel, the pointer or a finger tells for every cell of the map the part it "
            "belongs to, P(pixel | n), its share of all the map's heat, and its value."
        ),
        "other": (
            "Each category has a module of its own: it tells what speaks for and against that "
            "category on this very photo."
        ),
        "opacity": "How much the hottest place of a map hides the photo.",
        "colours": "All but turbo go from dark to bright and can be read without red-green vision.",
        "workspace": "A folder with its birds, the network trained on them, and its modules.",
        "device": "Where the network runs. A graphics card is many times faster than the CPU.",
        "category": "The bird whose score is explained. Each category has a module of its own.",
        "run": "A category may have several modules: other methods, sizes or seeds.",
        "photos_of": (
            "Photos of another bird can be shown as well, to see what speaks for and against the "
            "explained category there."
        ),
        "photo": "Test photos come first: the module has not learnt from them.",
        "partition": (
            "The box around the bird is divided among the parts that can be seen: every pixel goes "
            "to the part nearest to it. Heat is counted part by part."
        ),
        "likeness": (
            "How near the Z of two photos are, as a cosine: 1 where the network takes one for the "
            "other. These are the nearest of all photos that the network was trained on."
        ),
        "train_category": "The bird whose score the new module will explain.",
        "train_usual": (
            "With the usual settings. If there is such a module, or one is being trained, the new "
            "one gets the next seed and stands beside it: nothing is replaced."
        ),
        "train_categories": "Each of them gets a module of its own, one after the other.",
        "train_device": (
            "The fastest is an Nvidia card, then an Apple GPU, then the CPU. Trainings on the same "
            "device run one after the other."
        ),
        "accuracy": "Share of held-out photos for which the network's highest score is right.",
    }
)

GLOSSARY = MappingProxyType(
    {
        "Network": (
            "The classifier to explain: a convolutional network that gives each photo a score for "
            "each category."
        ),
        "Category": "A kind of bird: a species, or an invented one of the painted birds.",
        "Z": (
            "The network's description of a photo: the outputs of its first fully-connected "
            "layer or, in networks without one, the averages before the last layer; hundreds or "
            "thousands of numbers."
        ),
        "Module": (
            "A small network for one category that explains its score. It turns Z into a few "
            "x-features, and these into the score."
        ),
        "X-feature": HELP["x-feature"],
        "Activation": "How strongly an x-feature responds to a photo, Eₙ; 0 or more.",
        "Contribution": HELP["contribution"],
        "Base": HELP["base"],
        "Network's score": HELP["y_hat"],
        "Module's score": HELP["y_bar"],
        "Error": HELP["error"],
        "Mean error": HELP["f_reg"],
        "Heatmap": HELP["c-MWP"],
        "Part": "A place on the bird that annotators marked, such as the beak; at most 15 of them.",
        "Locality": HELP["locality"],
        "Weighted locality": HELP["weighted_locality"],
        "AUC": HELP["auc"],
        "Margin": HELP["margin"],
        "Live and dead": HELP["live"],
        "Effective number": HELP["effective_number"],
        "Top share": HELP["top_share"],
        "Overlap": HELP["overlap"],
        "Held-out photo": "A photo that the network was not trained on.",
        "Test photo": "A held-out photo that the module was not trained on, either.",
        "Seed": (
            "The number that random choices start from. The same settings and seed give the same "
            "module."
        ),
        "95% CI": (
            "Confidence interval: a range that contains the true value in 95 of 100 such studies."
        ),
    }
)
"""The terms of the pages for readers who meet them for the first time, in order of reading."""
