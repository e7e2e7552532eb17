"""All methods, in the order of tables, and how they are named on the command line and in files.

A method of one's own is a file beside this one and a line in the list below.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from explorer.config import ExplorerError
from explorer.methods import (
    excitation_bp,
    grad_cam,
    joint_sae,
    nmf,
    nn,
    pca,
    sae,
    srae,
    srae_pull_away,
    z,
)
from explorer.methods.base import DEFAULT_TRAINING, Method, TrainedMethod
from explorer.nn.losses import ModuleSettings
from explorer.settings.declaring import Setting, list_settings
from explorer.settings.parsing import change_settings, parse_setting
from explorer.training.modules.settings import TrainingSettings

METHODS: Mapping[str, Method] = {
    module.METHOD.name: module.METHOD
    for module in (
        srae,
        srae_pull_away,
        nn,
        sae,
        joint_sae,
        pca,
        nmf,
        z,
        excitation_bp,
        grad_cam,
    )
}
DEFAULT: TrainedMethod = srae.METHOD
"""The paper's own method, which trains where nobody says otherwise."""

_ALL = "all"


def list_trained() -> tuple[TrainedMethod, ...]:
    """List the methods that train a module."""
    return tuple(method for method in METHODS.values() if isinstance(method, TrainedMethod))


def list_module_settings() -> tuple[Setting, ...]:
    """List the settings of all methods' modules, each name once, with the usual defaults."""
    named = {one.name: one for method in reversed(list_trained()) for one in _list_own(method)}
    order = dict.fromkeys(one.name for method in list_trained() for one in _list_own(method))
    return tuple(named[name] for name in order)


def _list_own(method: TrainedMethod) -> tuple[Setting, ...]:
    return list_settings(type(method.settings))


def get_methods(names: str, training: TrainingSettings = DEFAULT_TRAINING) -> tuple[Method, ...]:
    """Return the methods in a comma-separated list; ``all`` for all of them.

    A setting of a method that trains a module can be changed behind a colon: ``srae:beta=10``,
    ``srae:widths=160x20:epochs=120``; what is not changed there is as in `training`.

    Raises
    ------
    ExplorerError
        For a name or a setting that does not exist.
    """
    wanted = _split(names)
    wanted = list(METHODS) if wanted == [_ALL] else wanted
    return tuple(get_method(name, training) for name in dict.fromkeys(wanted))


def get_trained_methods(
    names: str, variants: str = "", training: TrainingSettings = DEFAULT_TRAINING
) -> tuple[TrainedMethod, ...]:
    """Return those of `get_methods`, which have to train a module, in each of several variants.

    Parameters
    ----------
    names : str
        As for `get_methods`; ``all`` for all that train a module.
    variants : str
        Comma-separated changes, each of them tried with each method: ``beta=1,beta=10:q=50``.
    training : TrainingSettings
        What holds where neither `names` nor `variants` say otherwise.

    Raises
    ------
    ExplorerError
        As `get_methods`, and for a method that trains no module.
    """
    wanted = _split(names)
    wanted = [method.name for method in list_trained()] if wanted == [_ALL] else wanted
    changes = [f":{variant}" for variant in _split(variants)] or [""]
    texts = dict.fromkeys(name + change for name in wanted for change in changes)
    return tuple(get_trained_method(text, training) for text in texts)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def get_method(text: str, training: TrainingSettings = DEFAULT_TRAINING) -> Method:
    """Return one method, with its changes if there are any; see `get_methods`."""
    name, *changes = text.split(":")
    method = find_method(name)
    if method is None:
        raise ExplorerError(f"Unknown method {name!r}. Choose among: {', '.join(METHODS)}.")
    if not isinstance(method, TrainedMethod):
        if changes:
            raise ExplorerError(f"{method.title} trains no module, so it has no settings.")
        return method
    method = replace(method, training=training)
    return _vary(method, [change.partition("=") for change in changes]) if changes else method


def get_trained_method(text: str, training: TrainingSettings = DEFAULT_TRAINING) -> TrainedMethod:
    """Return one method that trains a module; see `get_method`."""
    method = get_method(text, training)
    if not isinstance(method, TrainedMethod):
        raise ExplorerError(
            f"{method.title} trains no module. Choose among: "
            f"{', '.join(one.name for one in list_trained())}."
        )
    return method


def find_method(name: str) -> Method | None:
    """Return the method of a name, which may be that of an earlier version; None if unknown."""
    for method in list_trained():
        if name in method.settings.old_names:
            return method
    return METHODS.get(name)


def change_method(method: TrainedMethod, changes: Mapping[str, Any]) -> TrainedMethod:
    """Return a method with other settings.

    Raises
    ------
    ExplorerError
        When it has no such setting, or a value is out of range.
    """
    settings = (method.settings, method.training)
    known = [one.name for part in settings for one in list_settings(part)]
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise ExplorerError(
            f"{method.title} has no setting {unknown[0]!r}. Choose among: {', '.join(known)}."
        )
    return replace(
        method,
        settings=change_settings(method.settings, changes),
        training=change_settings(method.training, changes),
    )


def _vary(method: TrainedMethod, changes: list[tuple[str, str, str]]) -> TrainedMethod:
    known = {
        one.name: one
        for part in (method.settings, method.training)
        for one in list_settings(part)
        if one.name != "seed"  # it is the comparison's
    }
    values = {}
    for name, _, text in changes:
        if name not in known:
            raise ExplorerError(
                f"{method.title} has no setting {name!r}. Choose among: {', '.join(known)}."
            )
        values[name] = parse_setting(known[name], text)
    words = [f"{name}={text}" for name, _, text in changes]
    return replace(
        change_method(method, values),
        name="-".join([method.name, *(word.replace("=", "") for word in words)]),
        title=f"{method.title}, {', '.join(words).replace('=', ' ')}",
        paper=None,
    )


def build_module_settings(values: Mapping[str, Any]) -> ModuleSettings:
    """Build a module's settings from what `ModuleSettings.describe` listed.

    Raises
    ------
    ExplorerError
        When the method is unknown, a setting is not one of its own, or a value is out of range.
    """
    method = get_trained_method(str(values.get("method", DEFAULT.settings.method)))
    changes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name != "method"
    }
    return change_method(method, changes).settings


def read_module_settings(values: Mapping[str, Any]) -> ModuleSettings | None:
    """Read the settings in a module's file; None where its method is not known here.

    Files of earlier versions list all settings with every method; those that it does not have are
    left out.
    """
    method = find_method(str(values.get("method")))
    if not isinstance(method, TrainedMethod):
        return None
    own = {one.name for one in list_settings(method.settings)}
    return build_module_settings(
        {name: value for name, value in values.items() if name in own or name == "method"}
    )


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
