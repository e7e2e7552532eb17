"""Bringing a network's activations to a scale from which new layers can learn.

Adam changes every weight by about the learning rate, however large its inputs are. New layers above
activations of 10 or 100 therefore learn badly: their outputs jump with every step. Networks without
batch norm can have such activations, for example if they were trained on pixels from 0 to 255.
Scaling the layers of a pretrained network until all learn at similar rates is due to Krähenbühl et
al., "Data-dependent Initializations of Convolutional Neural Networks" (ICLR 2016). Here all layers
are scaled by a single number, so that their output stays the same but for this factor.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_TOLERANCE = 2  # in powers of two
# For these, scaling the input scales the output, apart from biases.
_HOMOGENEOUS = (
    nn.Conv2d,
    nn.Linear,
    nn.ReLU,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.Dropout,
)


@torch.no_grad()
def normalise_scale(layers: Sequence[nn.Module], images: Tensor) -> float:
    """Scale trained layers so that the root mean square of their output is about 1.

    Parameters
    ----------
    layers : sequence of nn.Module
        The trained layers, from the pixels up, in evaluation mode. They are changed in place,
        unless the scale is from 1/4 to 4 already, or there are other layers than convolutions,
        linear layers, ReLU and pooling. Batch norm sets the scale itself.
    images : Tensor
        (B, 3, H, W), normalised, on the device of `layers`.

    Returns
    -------
    float
        What the output was divided by; a power of two, so that nothing is rounded.
    """
    if not all(isinstance(layer, _HOMOGENEOUS) for layer in layers):
        return 1.0
    output: Tensor = nn.Sequential(*layers)(images)
    root_mean_square = float(output.float().square().mean().sqrt())
    if not math.isfinite(root_mean_square) or root_mean_square == 0:
        return 1.0
    power = round(math.log2(root_mean_square))
    if abs(power) <= _TOLERANCE:
        return 1.0
    divisor = 2.0**power
    weighted = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    weighted[0].weight.div_(divisor)
    for layer in weighted:
        if layer.bias is not None:
            layer.bias.div_(divisor)
    return divisor
