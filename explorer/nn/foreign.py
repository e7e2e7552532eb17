"""Loading weights that were saved by other programs, without running code from the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network_from_weights, flatten_network
from explorer.nn.checkpoint import CheckpointError, load_tensors, round_to_half
from explorer.nn.records import MAX_VALUES
from explorer.storage.reading import check_regular, explain_os_error

# Names under which training scripts store the state_dict, and prefixes that wrappers add to names.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
_MAX_WRAPPERS = 8
_CURE = "Save it again with torch.save(model.state_dict(), …) or as safetensors."


def load_foreign_backbone(
    path: Path,
    architecture: Architecture,
    categories: tuple[str, ...],
    z_layer: str,
    *,
    half: bool = False,
) -> Backbone:
    """Build a classifier from a user's file; see `load_foreign_weights`.

    With `half`, weights are rounded to half precision, as they will be stored.
    """
    network = build_network_from_weights(architecture.name, load_foreign_weights(path))
    layers = flatten_network(network)
    if half:
        round_to_half(layers)
    return Backbone(architecture, layers, categories, z_layer)


def load_foreign_weights(path: Path) -> dict[str, Tensor]:
    """Read a user's weights from safetensors, or from a ``.pth`` file with only tensors.

    A ``state_dict`` in the checkpoint of a training script is found, and prefixes that wrappers
    such as ``DataParallel`` add to all names are removed.

    Returns
    -------
    dict of str to Tensor
        float32, on the CPU.

    Raises
    ------
    CheckpointError
        When the file is missing or damaged, or holds anything but tensors. Code in a pickle is
        never run.
    """
    if path.suffix == ".safetensors":
        return _strip_prefixes(load_tensors(path)[0])
    try:
        check_regular(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {explain_os_error(error)}.") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise CheckpointError(_explain(path)) from error
    state = _unwrap(content)
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path} does not hold a state_dict (names to tensors). {_CURE}")
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path} does not hold a state_dict (names to tensors): {str(name)!r} is a "
                f"{type(value).__name__}. {_CURE}"
            )
        is_plain = value.layout == torch.strided and value.device.type == "cpu"
        if not is_plain or value.is_complex() or value.is_quantized:
            raise CheckpointError(
                f"{path}: {str(name)!r} is not a dense tensor of real numbers. {_CURE}"
            )
    # An expanded tensor of any size takes only a few bytes in the file.
    values = sum(tensor.numel() for tensor in state.values())
    if values > MAX_VALUES:
        raise CheckpointError(f"{path} holds {values:,} numbers, more than {MAX_VALUES:,}. {_CURE}")
    return _strip_prefixes({str(name): tensor.float() for name, tensor in state.items()})


def _explain(path: Path) -> str:
    """Explain whether a file is damaged or holds other objects, such as a whole model."""
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # not in PyTorch's own format, or damaged
        foreign = []
    if not foreign:
        return f"{path} cannot be read as a file of tensors. {_CURE}"
    return (
        f"{path} holds more than tensors, perhaps a whole pickled model (it needs {foreign[0]}), "
        "and loading it would run code from the file. In the program that made it, save only the "
        "tensors, with torch.save(model.state_dict(), …) or as safetensors."
    )


def _unwrap(content: Any) -> Any:
    for _ in range(_MAX_WRAPPERS):  # a dictionary may contain itself
        if not isinstance(content, dict):
            break
        inner = next((content[n] for n in _WRAPPERS if isinstance(content.get(n), dict)), None)
        if inner is None:
            break
        content = inner
    return content


def _strip_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stripped = dict(state)
    while True:
        prefix = next((p for p in _PREFIXES if all(n.startswith(p) for n in stripped)), None)
        if prefix is None or not stripped:
            return stripped
        stripped = {name.removeprefix(prefix): tensor for name, tensor in stripped.items()}
