"""Whether the weights of a layer are its own, or made by a hook and perhaps out of date.

Old-style weight norm, spectral norm and pruning make a weight at each forward pass of its layer. It
is as old as the last one: after loading a ``state_dict``, it is still that of the network before.
Parametrizations are computed whenever they are read.
"""

from torch import Tensor, nn
from torch.nn.utils import parametrize

from explorer.config import ExplorerError


def check_own_weights(network: nn.Module) -> None:
    """Raise `ExplorerError` if hooks make a weight in a network; the message names the layer."""
    for name, layer in network.named_modules():
        problem = find_made_weight(layer)
        if problem:
            raise ExplorerError(f"Layer {name}, {layer}: {problem}.")


def find_made_weight(layer: nn.Module) -> str:
    """Return what is wrong with a layer that has a weight made by a hook, or nothing."""
    tensors = (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False))
    own = {name for name, _ in tensors}
    for name in ("weight", "bias"):
        is_own = name in own or parametrize.is_parametrized(layer, name)
        if not is_own and isinstance(getattr(layer, name, None), Tensor):
            return (
                f"its {name} is made by a hook at each forward pass, and may be out of date. Make "
                "it permanent with remove_weight_norm, remove_spectral_norm or prune.remove of "
                "torch.nn.utils, or use torch.nn.utils.parametrizations"
            )
    return ""
