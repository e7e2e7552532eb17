"""Groups of modules with the same shape, with batched matrix products for all of them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from explorer.nn.devices import has_bfloat16
from explorer.nn.srae import ExplanationModule

_MIN_REDUCED_WEIGHTS = 2**19  # of a layer; with fewer, products take a small part of the time


class GroupedLinear(nn.Module):
    """G fully-connected layers with the same shape.

    Parameters
    ----------
    layers : sequence of nn.Linear
        The layers, whose weights are copied, on their device.

    Attributes
    ----------
    weight : nn.Parameter
        (G, inputs, outputs). It is transposed compared with `nn.Linear`, so that the gradient of
        the batched product has the memory layout of the weights and need not be transposed.
    bias : nn.Parameter or None
        (G, 1, outputs).

    Notes
    -----
    A large layer is multiplied in bfloat16 on a processor that can do so, forward and backward. Its
    weights, their gradients and its output are float32, and so is everything that
    `ModuleGroup.view_member` and `ModuleGroup.copy_member` return.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        biases = [layer.bias.detach()[None] for layer in layers if layer.bias is not None]
        self.bias = nn.Parameter(torch.stack(biases)) if biases else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (G, M, inputs) to (G, M, outputs), with separate examples for each layer."""
        if self._is_reduced:
            product = torch.bmm(inputs.bfloat16(), self.weight.bfloat16()).float()
            return product if self.bias is None else product + self.bias
        if self.bias is None:
            return torch.bmm(inputs, self.weight)
        return torch.baddbmm(self.bias, inputs, self.weight)

    @property
    def _is_reduced(self) -> bool:
        is_large = self.weight[0].numel() >= _MIN_REDUCED_WEIGHTS
        return is_large and self.weight.device.type == "cpu" and has_bfloat16()


def list_grouped_layers(stack: nn.Sequential) -> list[GroupedLinear]:
    """Return the fully-connected layers of a stack, the lowest first."""
    return [layer for layer in stack if isinstance(layer, GroupedLinear)]


class ModuleGroup(ExplanationModule):
    """G explanation modules with the same shape, each applied to its own examples.

    Like `ExplanationModule`, with an additional first dimension G of inputs and outputs.

    Parameters
    ----------
    members : sequence of ExplanationModule
        The modules, at least one, whose weights are copied.
    """

    def __init__(self, members: Sequence[ExplanationModule]) -> None:
        with torch.device("meta"):  # the layers are replaced below
            super().__init__(members[0].z_size, members[0].settings)
        layers = [_name_linears(member) for member in members]
        for name in layers[0]:
            self.set_submodule(name, GroupedLinear([own[name] for own in layers]))

    def compute_contributions(self, x_features: Tensor) -> Tensor:
        """Compute vₙEₙ, signed, of x-features (G, M, K)."""
        return x_features * self.v.weight.mT

    def list_encoder_weights(self) -> list[Tensor]:
        """Return the weights of the encoder's layers from Z up, (G, inputs, outputs) each."""
        return [layer.weight for layer in self.encoder if isinstance(layer, GroupedLinear)]

    def view_member(self, index: int) -> ExplanationModule:
        """Return a member that shares its weights with the group."""
        with torch.device("meta"):
            member = ExplanationModule(self.z_size, self.settings)
        state = {
            name: stack[index].T if name.endswith("weight") else stack[index, 0]
            for name, stack in self.state_dict().items()
        }
        member.load_state_dict(state, assign=True)
        return member

    def copy_member(self, index: int) -> ExplanationModule:
        """Return a copy of a member, on the CPU and in evaluation mode."""
        member = self.view_member(index)
        for parameter in member.parameters():
            parameter.data = parameter.data.cpu().clone(memory_format=torch.contiguous_format)
        return member.eval().requires_grad_(False)


def _name_linears(module: ExplanationModule) -> dict[str, nn.Linear]:
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear)}
