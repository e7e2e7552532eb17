"""The methods that are compared, and what the paper reports for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from explorer.config import ExplorerError
from explorer.nn.srae import ModuleSettings


@dataclass(frozen=True)
class PaperFigures:
    """A column of Table 1 of Qi & Li (2017), on 30 random categories of CUB with VGG19.

    Attributes
    ----------
    f_reg_train, f_reg_test : float or None
        In units of the logit.
    locality : float
        In nats.
    """

    f_reg_train: float | None
    f_reg_test: float | None
    locality: float


@dataclass(frozen=True)
class Method:
    """One row of the comparison.

    Attributes
    ----------
    name : str
        On the command line and in files.
    title : str
        In tables.
    settings : ModuleSettings or None
        Of the module that is trained; None for a method without one.
    paper : PaperFigures or None
        What the paper reports for it.
    """

    name: str
    title: str
    settings: ModuleSettings | None = None
    paper: PaperFigures | None = None


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("srae", "SRAE", ModuleSettings(), PaperFigures(0.0831, 0.1539, 1.9694)),
        Method("srae-pull-away", "SRAE with pull-away", ModuleSettings(pull_away=1.0)),
        Method("nn", "NN", ModuleSettings(method="nn"), PaperFigures(0.0657, 0.1170, 2.3078)),
        Method("sae", "SAE", ModuleSettings(method="sae"), PaperFigures(0.0987, 0.1928, 2.1492)),
        Method("pca", "PCA probe"),
        Method("z", "Z", paper=PaperFigures(None, None, 1.9623)),
        Method("excitation-bp", "ExcitationBP", paper=PaperFigures(None, None, 2.4934)),
        Method("grad-cam", "Grad-CAM"),
    )
}


def get_methods(names: str) -> tuple[Method, ...]:
    """Return the methods in a comma-separated list; ``all`` for all of them.

    Raises
    ------
    ExplorerError
        For a name that there is not.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    wanted = list(METHODS) if wanted == ["all"] else wanted
    for name in wanted:
        if name not in METHODS:
            raise ExplorerError(f"Unknown method {name!r}. Choose among: {', '.join(METHODS)}.")
    return tuple(METHODS[name] for name in dict.fromkeys(wanted))


def list_paper_figures() -> dict[tuple[str, str], float]:
    """Return the paper's Table 1 as (method, measure) to figure, measures named as in results."""
    return {
        (method.name, measure): figure
        for method in METHODS.values()
        if method.paper is not None
        for measure, figure in (
            ("f_reg_train", method.paper.f_reg_train),
            ("f_reg_test", method.paper.f_reg_test),
            ("locality", method.paper.locality),
        )
        if figure is not None
    }
