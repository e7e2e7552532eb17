"""A classifier made ready to be explained: what all photos share is made once, what one needs too.

Of a photo, one pass up to Z and one over the normalisers serve every neuron of every module, so a
further category costs no more than its way down.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import RLock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.attribution.rules import PassRule
from explorer.attribution.trace import BYTES_OF_TRACES, Trace, begin, read_layers
from explorer.config import ExplorerError
from explorer.nn.backbones.backbone import Backbone

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of normalisers and P between the pixels and Z. The way up, and with it scores, x-features and the
winners of max pooling, never takes less than float32, and for float32 maps takes float64 wherever
the device knows it. Sums above Z are formed in float64."""


@dataclass(frozen=True, eq=False)
class _Passed:
    """A photo that has passed through the network: as far as the trunk, Z, and its logits."""

    trunk: Trace
    z: Trace
    logits: Tensor

    @property
    def nbytes(self) -> int:
        """Memory of the steps, in bytes; those of the trunk are among those of Z."""
        return self.z.nbytes


class Engine:
    """Draws c-MWP maps of a classifier's neurons, and of modules on its Z.

    Any number of threads may use it at once.

    Parameters
    ----------
    backbone : Backbone
        The classifier, on the device where it is to stay.
    precision : {"float32", "bfloat16"}
        See `PRECISIONS`. In bfloat16 maps take half the time and correlate with exact ones at
        0.999 and more; it is nobody's default.

    Raises
    ------
    ExplorerError
        When there is no such precision.
    """

    def __init__(self, backbone: Backbone, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise ExplorerError(
                f"Unknown precision {precision!r}. Choose one of: {', '.join(PRECISIONS)}."
            )
        self.backbone = backbone
        self.precision = precision
        self._passed: OrderedDict[tuple[str, str], _Passed] = OrderedDict()
        self._lock = RLock()

    def trace(self, pixels: NDArray[np.float32], stop: str) -> Trace:
        """Pass a photo up to Z, or return what is kept of it from before.

        Parameters
        ----------
        pixels : NDArray of float32
            (3, H, W), normalised, at the classifier's input size.
        stop : str
            Where maps are to be taken; see `Backbone.stops`.

        Returns
        -------
        Trace
            Its output is Z, (1, S_z) >= 0.
        """
        return self._pass_up(pixels, stop).z

    @torch.no_grad()
    def _pass_up(self, pixels: NDArray[np.float32], stop: str) -> _Passed:
        key = (hashlib.sha256(pixels.tobytes()).hexdigest(), stop)
        with self._lock:
            if key in self._passed:
                self._passed.move_to_end(key)
                return self._passed[key]
        backbone, dtype = self.backbone, PRECISIONS[self.precision]
        images = torch.from_numpy(pixels)[None].to(backbone.device)
        trunk = begin(images, is_exact=self.precision == "float32").follow(
            self._trunk, stop=backbone.get_stop(stop), dtype=dtype
        )
        z = trunk.follow(read_layers(backbone.readout, images), dtype=dtype)
        passed = _Passed(trunk, z, backbone.top(trunk.output.to(torch.float32)))
        with self._lock:
            self._passed[key] = passed
            while sum(kept.nbytes for kept in self._passed.values()) > BYTES_OF_TRACES:
                self._passed.popitem(last=False)
        return passed

    def score(
        self, pixels: NDArray[np.float32], stop: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return Z (S_z,) >= 0 and the logits (C,) of a photo, from the pass of its maps at `stop`.

        See `trace` for the parameters.
        """
        passed = self._pass_up(pixels, stop)
        z = passed.z.output.to(torch.float32)
        return z[0].cpu().numpy(), passed.logits[0].cpu().numpy()

    @torch.no_grad()
    def draw(
        self,
        pixels: NDArray[np.float32],
        top: Sequence[nn.Module],
        stop: str,
        neurons: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        """Draw c-MWP of the outputs of layers on Z.

        Parameters
        ----------
        pixels : NDArray of float32
            (3, H, W), normalised, at the classifier's input size.
        top : sequence of nn.Module
            From Z up to a Linear. Where there is none, dimensions of Z itself are drawn.
        stop : str
            Where the maps are taken; see `Backbone.stops`.
        neurons : sequence of int, optional
            Which outputs, in this order; all of them when not given.

        Returns
        -------
        NDArray of float32
            (K, h, w), raw, >= 0.
        """
        return self._draw(self._pass_up(pixels, stop).z, top, neurons)

    def draw_logit(
        self, pixels: NDArray[np.float32], category: str, stop: str
    ) -> NDArray[np.float32]:
        """Draw c-MWP of a category's logit, (1, h, w): the paper's ExcitationBP.

        See `draw` for the parameters.
        """
        backbone = self.backbone
        trunk = self._pass_up(pixels, stop).trunk
        return self._draw(trunk, backbone.top, [backbone.categories.index(category)])

    def _draw(
        self, trace: Trace, top: Iterable[nn.Module], neurons: Sequence[int] | None
    ) -> NDArray[np.float32]:
        rules = read_layers(top, next(self.backbone.layers.parameters()))
        above = trace.follow(rules, dtype=PRECISIONS[self.precision])
        draw = above.draw if above.ends_in_linear else above.draw_pooled
        maps: NDArray[np.float32] = draw(neurons)[0].to(torch.float32).cpu().numpy()
        return maps

    @cached_property
    def _trunk(self) -> list[PassRule]:
        return read_layers(self.backbone.trunk, next(self.backbone.layers.parameters()))
