"""Names of runs, made from their settings; they are folder names of a category's modules."""

from dataclasses import asdict, fields

from explorer.nn.losses import ModuleSettings
from explorer.training.modules.settings import TrainingSettings


def name_run(module: ModuleSettings, training: TrainingSettings) -> str:
    """Name a run by its method, size and seed, and by all settings that differ from the default.

    Examples
    --------
    ``srae-k5-s0``, ``nn-k5-s3``, ``srae-k5-s0-beta3.0-widths800x100``.
    """
    return _name_run(module.method, module, training)


def list_run_names(module: ModuleSettings, training: TrainingSettings) -> tuple[str, ...]:
    """List the name of a run, and its names in earlier versions."""
    methods = (module.method, *module.old_names)
    return tuple(_name_run(method, module, training) for method in methods)


def _name_run(method: str, module: ModuleSettings, training: TrainingSettings) -> str:
    words = [method, f"k{module.x_features}", f"s{training.seed}"]
    for settings in (module, training):
        defaults = {field.name: field.default for field in fields(settings)}
        for name, value in asdict(settings).items():
            if name not in ("x_features", "seed") and value != defaults[name]:
                text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
                words.append(f"{name}{text}")
    return "-".join(words)
