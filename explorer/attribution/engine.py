"""A classifier made ready to be explained: what all photos share is made once, what one needs too.

Of a photo, one pass up to Z and one over the normalisers serve every neuron of every module, so a
further category costs no more than its way down.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from threading import RLock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from explorer.attribution.rules import PassRule
from explorer.attribution.trace import BYTES_OF_TRACES, Trace, begin, read_layers
from explorer.config import ExplorerError
from explorer.nn.backbones.backbone import Backbone

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of normalisers and P between the pixels and Z. The way up, and with it scores, x-features and the
winners of max pooling, never takes less than float32, and for float32 maps takes float64 wherever
the device knows it. Sums above Z are formed in float64."""


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
        self._traces: OrderedDict[tuple[str, str], Trace] = OrderedDict()
        self._lock = RLock()

    @torch.no_grad()
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
        key = (hashlib.sha256(pixels.tobytes()).hexdigest(), stop)
        with self._lock:
            if key in self._traces:
                self._traces.move_to_end(key)
                return self._traces[key]
        images = torch.from_numpy(pixels)[None].to(self.backbone.device)
        made = begin(images, is_exact=self.precision == "float32").follow(
            self._rules, stop=self.backbone.get_stop(stop), dtype=PRECISIONS[self.precision]
        )
        with self._lock:
            self._traces[key] = made
            while sum(trace.nbytes for trace in self._traces.values()) > BYTES_OF_TRACES:
                self._traces.popitem(last=False)
        return made

    @torch.no_grad()
    def score(
        self, pixels: NDArray[np.float32], stop: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return Z (S_z,) >= 0 and the logits (C,) of a photo, from the pass of its maps at `stop`.

        See `trace` for the parameters.
        """
        z = self.trace(pixels, stop).output
        return z[0].cpu().numpy(), self.backbone.compute_logits(z)[0].cpu().numpy()

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
        trace = self.trace(pixels, stop)
        maps: NDArray[np.float32]
        maps = trace.follow(read_layers(top, trace.output)).draw(neurons)[0].cpu().numpy()
        return maps

    def draw_logit(
        self, pixels: NDArray[np.float32], category: str, stop: str
    ) -> NDArray[np.float32]:
        """Draw c-MWP of a category's logit, (1, h, w): the paper's ExcitationBP.

        See `draw` for the parameters.
        """
        backbone = self.backbone
        top = list(backbone.layers)[backbone.z_stop :]
        return self.draw(pixels, top, stop, [backbone.categories.index(category)])

    @cached_property
    def _rules(self) -> list[PassRule]:
        layers = list(self.backbone.layers)[: self.backbone.z_stop]
        return read_layers(layers, next(self.backbone.layers.parameters()))
