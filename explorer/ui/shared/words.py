"""Help texts: a plain explanation of every term and symbol on the pages."""

from types import MappingProxyType

HELP = MappingProxyType(
    {
        "x-feature": (
            "One of the few concepts into which the module squeezes what the network saw; "
            "together they rebuild the network's score."
        ),
        "contribution": (
            "vₙEₙ: how strongly the x-feature fired on this photo times its weight. A plus raises "
            "the score, a minus lowers it, and all of them add up to ȳ."
        ),
        "y_hat": (
            "ŷ, say y-hat: the network's own score for this category, before softmax. The higher, "
            "the more the network sees of it; it decides for the category with the highest score."
        ),
        "y_bar": "ȳ, say y-bar: the same score rebuilt by the module from its x-features alone.",
        "error": "|ȳ − ŷ|: how far the module is off on this photo. 0 is a perfect copy.",
        "f_reg": (
            "F_reg: the mean of |ȳ − ŷ| over many photos. Low means that the module says what the "
            "network says, so that its explanation is one of the network."
        ),
        "relative": "F_reg as a share of the distance between the lowest and the highest ŷ.",
        "r2": "How much of the ups and downs of ŷ the module follows; 100 % is all of them.",
        "locality": (
            "The entropy of a part histogram: 0 where all heat lies on one part of the bird, "
            "highest where it is spread evenly. Low is local."
        ),
        "weighted_locality": (
            "Locality where each x-feature counts as much as it contributes to the score. In the "
            "plain mean, those that hardly contribute count as much as the others."
        ),
        "effective_number": (
            "How many x-features carry the score: 1 if a single one does, and the number of all of "
            "them if they contribute equally."
        ),
        "top_share": (
            "The share of the x-feature that contributes most to a photo, in the sum of all "
            "contributions without their signs; the mean over photos."
        ),
        "overlap": (
            "How much of the heat two x-features share: 0 % if they look at different places, "
            "100 % if their maps are the same. The mean over pairs and photos."
        ),
        "auc": (
            "The area under the ROC curve: how often a photo of the category, drawn by chance, has "
            "a higher activation than a photo of another bird, equal ones counting half. 100 % "
            "tells the category without fail, 50 % is a coin, and below that other birds activate "
            "it more. It is of this x-feature alone; the module adds up all of them."
        ),
        "live": "An x-feature that never adds anything to the score is dead; the others live.",
        "c-MWP": (
            "Contrastive excitation backprop: it walks from an x-feature back to the pixels and "
            "keeps what speaks more for it than against it."
        ),
        "layer": (
            "Where the walk back from the x-feature stops. relu1 has the finest grid; from "
            "pool to pool it gets coarser and shows larger shapes."
        ),
        "scale": (
            "Each map on its own scale shows where each x-feature looks; one scale for all also "
            "shows which of them lights up more."
        ),
        "drawing": (
            "Smoothing is for the eye alone: no number on this page is computed from it. The raw "
            "grid shows every value of the map as it is."
        ),
        "off": (
            "Takes an x-feature's contribution out of the sum: ȳ shows what the module would say "
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
