"""The method in short, where it differs from the paper, the data, and the versions."""

from importlib.metadata import PackageNotFoundError, version

import streamlit as st

from explorer.config import PRECISION_VARIABLE, PUBLIC_VARIABLE, get_precision, is_public
from explorer.ui.shared.errors import error_boundary

LIBRARIES = ("srae-explorer", "torch", "streamlit", "numpy", "plotly")


def show_method() -> None:
    """Explain the method with its formulas."""
    st.header("The method in short", anchor=False)
    st.markdown(
        "A convolutional network gives a photo a score ŷ for every category of birds. At its "
        "first fully-connected layer it describes the photo by a long vector **Z**. For one "
        "category, a small **module** squeezes Z into a few **x-features** E(Z), and one row of "
        "weights v rebuilds the score from them:"
    )
    st.latex(r"\bar y = v^\top E(Z) = \sum_n v_n E_n(Z)")
    st.markdown(
        "Each term $v_n E_n$ is a **contribution**; they add up to ȳ without a rest. The module "
        "is a *Sparse Reconstruction Autoencoder* (SRAE). It is trained to copy the score and to "
        "rebuild those dimensions of Z that are worth rebuilding:"
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
        "The logarithm forgives large errors, so that a dimension is either rebuilt well or given "
        "up. **Where does an x-feature look?** *Excitation backprop* walks from it down to the "
        "photo, and at each layer hands its probability P to the inputs that excited it:"
    )
    st.latex(r"P_\text{in} = a \odot {W^+}^\top \bigl(P_\text{out} \oslash (W^+ a)\bigr)")
    st.markdown(
        "with the layer's input a and its positive weights W⁺. The contrastive form, **c-MWP**, "
        "does the same for the negated weights of the top layer and subtracts, which leaves what "
        "speaks for this x-feature alone. **Is it local?** Every pixel in the bird's box belongs "
        "to the nearest visible part; the share $S_p$ of a map's heat on part p, averaged over "
        "photos, gives the **locality**, low for an x-feature that looks at few parts:"
    )
    st.latex(r"H = -\sum_p \bar S_p \log \bar S_p")
    st.markdown("**Is it faithful?** The mean error over photos tells:")
    st.latex(r"F_\text{reg} = \frac1M \sum_{i=1}^{M} \bigl|\bar y^{(i)} - \hat y^{(i)}\bigr|")


def show_differences() -> None:
    """List where the explorer differs from the paper, and why."""
    st.header("Where this differs from the paper", anchor=False)
    st.markdown(
        "- The paper prints neither the widths of the module nor β and q. Widths are scaled from "
        "4096–800–100–5 with the size of Z, q is 100 and β is 1; all are settings.\n"
        "- The paper says nothing of how training starts. Here biases are centred, layers are "
        "pretrained one by one, v starts from a faint ridge fit in which the few photos of the "
        "category weigh as much as all others, and x-features that fall silent in the first half "
        "of training are revived.\n"
        "- NN starts from the same pretrained layers as SRAE; its loss has no reconstruction. "
        "SAE learns to rebuild all of Z, and v is then the least-squares fit on its x-features.\n"
        "- Every test photo is one that the network was not trained on either.\n"
        "- Maps are taken at the output of the first ReLU, not at the pixels: excitation backprop "
        "needs inputs that are not negative.\n"
        "- The walk back starts at the x-feature before its own ReLU, so that an x-feature which "
        "is inactive on a photo may still have a map. Such maps are shown faded.\n"
        "- Maps that are zero everywhere are left out of the histograms and counted.\n"
        "- Beside F_reg stand the range of ŷ and R², because a small error is no feat where "
        "scores hardly differ.\n"
        "- The paper names x-features by hand. Here they are also named by what annotators said of "
        "each species: an attribute such as *red breast* is taken if it goes with where the "
        "x-feature fires, on other species too, and if heat lies on the breast. That is a "
        "correlation, and attributes that go together cannot be told apart by it."
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
        "- **Painted birds** are invented: their categories exist nowhere, and a program painted "
        "every photo. They come with the explorer and are free of other people's rights.\n"
        "- **CUB-200-2011** holds photos of real birds by many photographers. It is for research "
        "and teaching without profit, is not part of the explorer, and must be fetched from its "
        "makers.\n"
        "- **The network for real birds** that comes with the explorer was trained on them. The "
        "explorer has the tables of CUB-200-2011 with it (names, boxes, parts) and what was "
        "computed of its photos, but no photo.\n"
        "- **ImageNet weights** of VGG networks are those that torchvision offers, under its "
        "terms. VGG16's are by the Visual Geometry Group, Oxford, under "
        "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/); the network for real birds "
        "started from its convolutions."
    )


def show_versions() -> None:
    """Show the versions of the main packages."""
    st.header("Versions", anchor=False)
    rows = [f"| {name} | {find_version(name)} |" for name in LIBRARIES]
    st.markdown("\n".join(["| package | version |", "|:--|:--|", *rows]))
    st.caption(f"Heatmaps are computed in {get_precision()}; `{PRECISION_VARIABLE}` chooses.")
    st.caption(
        f"This server is public (`{PUBLIC_VARIABLE}`): visitors change nothing on it."
        if is_public()
        else f"Whoever opens this app may train and write notes; `{PUBLIC_VARIABLE}=1` forbids it."
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
        "It shows **why** a network takes a bird for what it does: the network's score, taken "
        "apart into a few x-features, each drawn on the photo, measured against the parts of "
        "the bird, and checked against the network."
    )
    show_method()
    show_differences()
    show_sources()
    show_versions()
