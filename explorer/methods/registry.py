"""The methods that are compared, and what the paper reports for them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from explorer.config import ExplorerError
from explorer.nn.settings import ModuleSettings
from explorer.training.modules.settings import TrainingSettings

DEFAULT_TRAINING = TrainingSettings()


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
    training : TrainingSettings
        Of that module; its seed is replaced by that of the comparison.
    """

    name: str
    title: str
    settings: ModuleSettings | None = None
    paper: PaperFigures | None = None
    training: TrainingSettings = DEFAULT_TRAINING


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("srae", "SRAE", ModuleSettings(), PaperFigures(0.0831, 0.1539, 1.9694)),
        Method("srae-pull-away", "SRAE with pull-away", ModuleSettings(pull_away=1.0)),
        Method("nn", "NN", ModuleSettings(method="nn"), PaperFigures(0.0657, 0.1170, 2.3078)),
        Method("sae", "SAE", ModuleSettings(method="sae"), PaperFigures(0.0987, 0.1928, 2.1492)),
        Method("joint-sae", "SAE, trained jointly", ModuleSettings(method="jointsae")),
        Method("pca", "PCA probe"),
        Method("z", "Z", paper=PaperFigures(None, None, 1.9623)),
        Method("excitation-bp", "ExcitationBP", paper=PaperFigures(None, None, 2.4934)),
        Method("grad-cam", "Grad-CAM"),
    )
}


def get_methods(names: str, training: TrainingSettings = DEFAULT_TRAINING) -> tuple[Method, ...]:
    """Return the methods in a comma-separated list; ``all`` for all of them.

    A setting of a method that trains a module can be changed behind a colon: ``srae:beta=10``,
    ``srae:widths=160x20:epochs=120``; what is not changed there is as in `training`.

    Raises
    ------
    ExplorerError
        For a name or a setting that there is not.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    wanted = list(METHODS) if wanted == ["all"] else wanted
    return tuple(get_method(name, training) for name in dict.fromkeys(wanted))


def get_trained_methods(
    names: str, variants: str = "", training: TrainingSettings = DEFAULT_TRAINING
) -> tuple[Method, ...]:
    """Return those of `get_methods`, which have to train a module, in each of several variants.

    Parameters
    ----------
    names : str
        As for `get_methods`; ``all`` for all that train a module.
    variants : str
        Comma-separated changes, each of them tried with each method: ``beta=1,beta=10:q=50``.
    training : TrainingSettings
        What holds where neither `names` nor `variants` say something else.

    Raises
    ------
    ExplorerError
        As `get_methods`, and for a method that trains no module.
    """
    trained = [method.name for method in METHODS.values() if method.settings is not None]
    split = [name.strip() for name in names.split(",") if name.strip()]
    changes = [f":{variant.strip()}" for variant in variants.split(",") if variant.strip()] or [""]
    wanted = [
        name + change for name in (trained if split == ["all"] else split) for change in changes
    ]
    methods = get_methods(",".join(wanted), training)
    for method in methods:
        if method.settings is None:
            raise ExplorerError(
                f"{method.title} trains no module. Choose among: {', '.join(trained)}."
            )
    return methods


def get_method(text: str, training: TrainingSettings = DEFAULT_TRAINING) -> Method:
    """Return one method, with its changes where there are any; see `get_methods`."""
    name, *changes = text.split(":")
    if name not in METHODS:
        raise ExplorerError(f"Unknown method {name!r}. Choose among: {', '.join(METHODS)}.")
    method = replace(METHODS[name], training=training)
    return _vary(method, [change.partition("=") for change in changes]) if changes else method


def _vary(method: Method, changes: list[tuple[str, str, str]]) -> Method:
    if method.settings is None:
        raise ExplorerError(f"{method.title} trains no module, so it has no settings to change.")
    defaults = _list_changeable(method.settings) | _list_changeable(method.training)
    values: dict[str, Any] = {}
    for name, _, text in changes:
        if name not in defaults:
            raise ExplorerError(f"No such setting: {name!r}. Choose among: {', '.join(defaults)}.")
        values[name] = _parse_value(name, text, defaults[name])
    words = [f"{name}={text}" for name, _, text in changes]
    return replace(
        method,
        name="-".join([method.name, *(word.replace("=", "") for word in words)]),
        title=f"{method.title}, {', '.join(words).replace('=', ' ')}",
        settings=replace(method.settings, **_pick(values, method.settings)),
        training=replace(method.training, **_pick(values, method.training)),
        paper=None,
    )


def _list_changeable(settings: Any) -> dict[str, Any]:
    return {
        field.name: getattr(settings, field.name)
        for field in fields(settings)
        if field.name not in ("method", "seed")
    }


def _pick(values: Mapping[str, Any], settings: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if hasattr(settings, name)}


def _parse_value(name: str, text: str, default: object) -> Any:
    try:
        if isinstance(default, tuple):
            return tuple(int(number) for number in text.split("x"))
        return float(text) if isinstance(default, float) else int(text)
    except (ValueError, TypeError) as error:
        raise ExplorerError(f"{name} cannot be {text!r}.") from error


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
