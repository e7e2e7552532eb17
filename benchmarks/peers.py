"""How other libraries draw c-MWP, or the nearest that they have, for an ``nn.Sequential``.

Each function returns one that takes an image (1, C, H, W) and gives a map of each output neuron,
(K, h, w), on the CPU, at the output of the first ReLU.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from explorer.nn.torchvision_guard import import_torchvision

Draw = Callable[[Tensor], Tensor]


def draw_with_torchray(model: nn.Sequential) -> Draw:
    """TorchRay's own c-MWP, called once for each neuron, as its interface requires."""
    import_torchvision()  # TorchRay's own import of it fails with CPU builds of torch
    from torchray.attribution import excitation_backprop as torchray  # noqa: PLC0415

    stop, contrast = "1", str(len(model) - 2)  # the first ReLU; the input of the last Linear

    def draw(image: Tensor) -> Tensor:
        neurons = torch.arange(_count_neurons(model), device=image.device).split(1)
        maps = [
            torchray.contrastive_excitation_backprop(model, image, neuron, stop, contrast)
            for neuron in neurons
        ]
        return torch.cat(maps, 1)[0].cpu()  # waits for a GPU

    return draw


def draw_with_zennit(model: nn.Sequential) -> Draw:
    """zennit's rule of excitation backprop below the last layer, where the contrast is taken.

    One forward pass serves all neurons; each has a backward pass of its own.
    """
    from zennit.composites import ExcitationBackprop  # noqa: PLC0415

    first, body, last = model[:2], model[2:-1], cast(nn.Linear, model[-1])
    composite = ExcitationBackprop(stabilizer=1e-30, zero_params=["bias"])

    def draw(image: Tensor) -> Tensor:
        start = first(image).detach().requires_grad_()
        with composite.context(body) as hooked:
            top = hooked(start)
            for_and_against = (
                weight.clamp(min=0) * top.detach() for weight in (last.weight, -last.weight)
            )
            one, other = (shares / shares.sum(1, keepdim=True) for shares in for_and_against)
            maps = [
                torch.autograd.grad(top, start, contrast[None], retain_graph=True)[0]
                for contrast in one - other
            ]
        return torch.cat(maps).sum(1).clamp(min=0).cpu()

    return draw


def draw_with_captum(model: nn.Sequential) -> Draw:
    """captum's LRP with α = 1 and β = 0, which is MWP without the contrast that it does not have.

    It is called once for each neuron, as its interface requires.
    """
    from captum.attr import LRP  # noqa: PLC0415
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule  # noqa: PLC0415

    first, rest = model[:2], model[2:]
    lrp = LRP(rest)

    def explain(start: Tensor, neuron: int) -> Tensor:
        for layer in rest:  # each call removes the rules
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.rule = Alpha1_Beta0_Rule(set_bias_to_zero=True)
            elif isinstance(layer, nn.Flatten):
                layer.rule = EpsilonRule()
        return cast(Tensor, lrp.attribute(start, target=neuron))

    def draw(image: Tensor) -> Tensor:
        start = first(image).detach()
        maps = [explain(start, neuron) for neuron in range(_count_neurons(model))]
        return torch.cat(maps).sum(1).detach().cpu()

    return draw


def _count_neurons(model: nn.Sequential) -> int:
    return cast(nn.Linear, model[-1]).out_features
