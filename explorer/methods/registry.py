"""The list of all methods, and how they are named and varied on the command line.

To add a method, add a file to this folder and a line to the list below.
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
    srae_concepts,
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
        srae_concepts,
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
DEFAULT: TrainedMethod = srae_concepts.METHOD
"""The method of every command and page that is told no other."""

_ALL = "all"


def list_trained() -> tuple[TrainedMethod, ...]:
    """List the methods that train a module."""
    return tuple(method for method in METHODS.values() if isinstance(method, TrainedMethod))


def list_untrained() -> tuple[Method, ...]:
    """List the methods that need no trained module."""
    return tuple(method for method in METHODS.values() if not isinstance(method, TrainedMethod))


def list_module_settings() -> tuple[Setting, ...]:
    """List the settings of all methods' modules, each name once, with the default values."""
    named = {
        one.name: one for method in reversed(list_trained()) for one in _list_settings_of(method)
    }
    order = dict.fromkeys(
        one.name for method in list_trained() for one in _list_settings_of(method)
    )
    return tuple(named[name] for name in order)


def _list_settings_of(method: TrainedMethod) -> tuple[Setting, ...]:
    return list_settings(type(method.settings))


def get_methods(names: str, training: TrainingSettings = DEFAULT_TRAINING) -> tuple[Method, ...]:
    """Return the methods in a comma-separated list; ``all`` for all of them.

    Settings of a method that trains a module can be changed after a colon: ``srae:beta=10``,
    ``srae:widths=160x20:epochs=120``. Other training settings are those of `training`.

    Raises
    ------
    ExplorerError
        For unknown names or settings.
    """
    wanted = _split(names)
    wanted = list(METHODS) if wanted == [_ALL] else wanted
    return tuple(get_method(name, training) for name in dict.fromkeys(wanted))


def get_trained_methods(
    names: str, variants: str = "", training: TrainingSettings = DEFAULT_TRAINING
) -> tuple[TrainedMethod, ...]:
    """Return methods that train a module, in all variants of a list.

    Parameters
    ----------
    names : str
        As in `get_methods`; ``all`` for all methods that train a module.
    variants : str
        Comma-separated changes, each of which is applied to each method: ``beta=1,beta=10:q=50``.
    training : TrainingSettings
        Settings that neither `names` nor `variants` change.

    Raises
    ------
    ExplorerError
        As in `get_methods`, and for a method that trains no module.
    """
    wanted = _split(names)
    wanted = [method.name for method in list_trained()] if wanted == [_ALL] else wanted
    changes = [f":{variant}" for variant in _split(variants)] or [""]
    texts = dict.fromkeys(name + change for name in wanted for change in changes)
    return tuple(get_trained_method(text, training) for text in texts)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def get_method(text: str, training: TrainingSettings = DEFAULT_TRAINING) -> Method:
    """Return a method by name, with optional changes; see `get_methods`."""
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
    """Return a method that trains a module by name; see `get_method`."""
    method = get_method(text, training)
    if not isinstance(method, TrainedMethod):
        raise ExplorerError(
            f"{method.title} trains no module. Choose among: "
            f"{', '.join(one.name for one in list_trained())}."
        )
    return method


def find_method(name: str) -> Method | None:
    """Return the method with a name, current or of an earlier version; None if unknown."""
    for method in list_trained():
        if name in method.settings.old_names:
            return method
    return METHODS.get(name)


def change_method(method: TrainedMethod, changes: Mapping[str, Any]) -> TrainedMethod:
    """Return a method with changed settings.

    Raises
    ------
    ExplorerError
        When the method does not have a setting, or a value is out of range.
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
        if one.name != "seed"  # the seed is that of the comparison
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
    """Build the settings of a module from the output of `ModuleSettings.describe`.

    Raises
    ------
    ExplorerError
        When the method is unknown or does not have a setting, or a value is out of range.
    """
    method = get_trained_method(str(values.get("method", DEFAULT.settings.method)))
    changes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name not in ("method", "has_base")  # which a method has or has not
    }
    return change_method(method, changes).settings


def read_module_settings(values: Mapping[str, Any]) -> ModuleSettings | None:
    """Read the settings in a module's file; None if its method is unknown.

    Files of earlier versions list all settings for every method. Those that the method does not
    have are ignored.
    """
    method = find_method(str(values.get("method")))
    if not isinstance(method, TrainedMethod):
        return None
    own = {one.name for one in list_settings(method.settings)}
    return build_module_settings(
        {name: value for name, value in values.items() if name in own or name == "method"}
    )


def list_paper_figures() -> dict[tuple[str, str], float]:
    """Return Table 1 of the paper as a mapping from (method, measure) to figure."""
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
