"""A glossary, the method, where it differs from the paper, the data, and the versions."""

from importlib.metadata import PackageNotFoundError, version

import streamlit as st

from explorer.config import PRECISION_VARIABLE, PUBLIC_VARIABLE, get_precision, is_public
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.words import GLOSSARY

LIBRARIES = ("srae-explorer", "torch", "streamlit", "numpy", "plotly")


def show_method() -> None:
    """Explain the method with its formulas."""
    st.header("How it works", anchor=False)
    st.markdown(
        "A convolutional network gives a photo a score for every category of birds. At its first "
        "fully-connected layer, it describes the photo by a long vector **Z**. For one category, a "
        "small **module** turns Z into a few **x-features** E(Z) and rebuilds the network's score "
        "ŷ as their weighted sum, the module's score ȳ:"
    )
    st.latex(r"\bar y = v^\top E(Z) = \sum_n v_n E_n(Z)")
    st.markdown(
        "Each term $v_n E_n$ is the **contribution** of an x-feature. The module is a *Sparse "
        "Reconstruction Autoencoder* (SRAE). It is trained to match the score, and to rebuild "
        "those dimensions of Z that can be rebuilt well:"
    )
    st.latex(
        r"""\begin{aligned}
        &\frac1M \sum_{i=1}^{M} \bigl(\bar y^{(i)} - \hat y^{(i)}\bigr)^2 \\
        &\;+\; \frac{\beta}{S_z} \sum_{k=1}^{S_z}
        \log\Bigl(1 + q\,\frac1M \sum_{i=1}^{M}
        \bigl(\tilde Z_k^{(i)} - Z_k^{(i)}\bigr)^2\Bigr)
        \end{aligned}"""
    )
    st.markdown(
        "Because of the logarithm, large errors cost little more than medium ones, so a dimension "
        "is either rebuilt well or given up.\n\n"
        "**Where does an x-feature look?** *Excitation backprop* follows the network from the "
        "x-feature back to the photo. At each layer, it passes the probability P on to the inputs "
        "that caused it:"
    )
    st.latex(r"P_\text{in} = a \odot {W^+}^\top \bigl(P_\text{out} \oslash (W^+ a)\bigr)")
    st.markdown(
        "Here a is the layer's input and W⁺ its positive weights. The contrastive form, **c-MWP**, "
        "also does this for the negated weights of the top layer, and subtracts the result. What "
        "remains speaks for this x-feature in particular.\n\n"
        "**Is it local?** Each pixel in the bird's box belongs to the nearest visible part. "
        "$S_p$ is the share of the heat on part p, averaged over photos. The **locality** is the "
        "entropy of these shares, which is low if an x-feature looks at few parts:"
    )
    st.latex(r"H = -\sum_p \bar S_p \log \bar S_p")
    st.markdown("**Is it faithful?** The mean error over photos, F_reg, measures it:")
    st.latex(r"F_\text{reg} = \frac1M \sum_{i=1}^{M} \bigl|\bar y^{(i)} - \hat y^{(i)}\bigr|")


def show_glossary() -> None:
    """Explain each term of the pages in a sentence or two."""
    st.header("Glossary", anchor=False)
    st.markdown("\n".join(f"- **{term}**: {words}" for term, words in GLOSSARY.items()))


def show_differences() -> None:
    """List where the explorer differs from the paper, and why."""
    st.header("Where this differs from the paper", anchor=False)
    st.markdown(
        "- **Different concepts.** With the paper's loss, one x-feature often carries most of the "
        "score. The usual method here, *SRAE with concepts*, adds to it. What speaks for the "
        "category in Z is divided by where on the photos it comes from, and each x-feature learns "
        "to follow the part of one concept that other concepts do not share. Further terms spread "
        "the score among x-features and their maps over the photo. Since x-features are never "
        "negative, the score is counted from a **base** b: ȳ = b + vᵀE(Z). *SRAE* is the paper's "
        "own method.\n"
        "- **Settings.** The paper states neither the widths of the module nor β and q. Here the "
        "widths are 4096–800–100–5 in proportion to Z, q is 100 and β is 1. All can be changed.\n"
        "- **Start of training.** The paper does not describe it. Here biases are centred, layers "
        "are pretrained one by one, and v starts from a ridge regression in which the few photos "
        "of the category count as much as all others. X-features that die in the first half of "
        "the training are restarted.\n"
        "- **Baselines.** NN starts from the same pretrained layers as SRAE, but has no "
        "reconstruction term. SAE rebuilds all of Z, and v is then fitted to its x-features by "
        "least squares.\n"
        "- **Test photos** are photos on which neither the network nor the module was trained.\n"
        "- **Maps** are taken at the output of the first ReLU and not at the pixels, because "
        "excitation backprop needs inputs that are not negative.\n"
        "- **Inactive x-features.** Maps start before the x-feature's own ReLU, so an inactive "
        "x-feature may have a map. It is shown faded.\n"
        "- **Empty maps** are left out of the histograms, and counted.\n"
        "- **More than F_reg.** The range of the scores and R² are given as well, because a small "
        "error means little where all scores are alike.\n"
        "- **Names.** The paper names x-features by hand. Here they are also named by attributes "
        "that annotators gave to species. *Red breast* is chosen if it predicts on which species "
        "the x-feature fires and if heat lies on the breast. This is a correlation: it cannot "
        "separate attributes that always occur together."
    )


def show_sources() -> None:
    """List the papers and the data."""
    st.header("Sources", anchor=False)
    st.markdown(
        "- Zhongang Qi and Fuxin Li, *Learning Explainable Embeddings for Deep Networks*, 2017; "
        "later versions as *Embedding Deep Networks into Visual Explanations*, "
        "[arXiv 1709.05360](https://arxiv.org/abs/1709.05360).\n"
        "- Jianming Zhang and others, *Top-down Neural Attention by Excitation Backprop*, ECCV "
        "2016, [arXiv 1608.00507](https://arxiv.org/abs/1608.00507)."
    )
    st.header("Data and rights", anchor=False)
    st.markdown(
        "- **Painted birds** are invented: their categories do not exist, and a program painted "
        "every photo. They come with the explorer, and nobody else has rights to them.\n"
        "- **CUB-200-2011** has photos of real birds by many photographers, for non-commercial "
        "research and teaching. It is not part of the explorer and must be downloaded from its "
        "authors.\n"
        "- **The network for real birds** was trained on CUB-200-2011. The explorer comes with the "
        "tables of the data set (names, boxes, parts) and what was computed from its photos, but "
        "without the photos.\n"
        "- **ImageNet weights** of VGG networks are those of torchvision, under its terms. Those "
        "of VGG16 are by the Visual Geometry Group, Oxford, under "
        "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). The network for real birds "
        "started from its convolutions."
    )


def show_versions() -> None:
    """Show the versions of the main packages."""
    st.header("Versions", anchor=False)
    rows = [f"| {name} | {find_version(name)} |" for name in LIBRARIES]
    st.markdown("\n".join(["| package | version |", "|:--|:--|", *rows]))
    st.caption(f"Heatmaps are computed in {get_precision()}, set by `{PRECISION_VARIABLE}`.")
    st.caption(
        f"This server is public (`{PUBLIC_VARIABLE}`): visitors cannot change anything."
        if is_public()
        else f"All visitors can train modules and write notes. `{PUBLIC_VARIABLE}=1` prevents this."
    )


def find_version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"


with error_boundary(), st.container(width=760):
    st.title("About the SRAE explorer", anchor=False)
    st.markdown(
        "The explorer shows **why** a network recognises a bird. It splits the network's score "
        "into a few x-features, draws each on the photo, measures on which parts of the bird it "
        "looks, and checks how faithful all this is to the network."
    )
    show_glossary()
    show_method()
    show_differences()
    show_sources()
    show_versions()
