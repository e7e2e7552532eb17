"""The engine: draws c-MWP maps of a classifier and its modules, and keeps recent forward passes.

The forward pass of a photo and its normalisers serve every neuron of every module, so another
category of the same photo costs only its backward pass. The smaller maps of the network are kept
with it, so that coarse maps of the photo cost next to nothing.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import RLock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.attribution.layers import make_rules
from explorer.attribution.rules import Rule
from explorer.attribution.trace import MAX_TRACE_BYTES, Trace, start_trace
from explorer.config import ExplorerError
from explorer.nn.arithmetic import fixed_arithmetic
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.explanation import DEFAULT_STOP
from explorer.nn.shapes import list_output_shapes

PRECISIONS = {"exact": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}
"""Number formats of the normalisers and of P between the pixels and Z. The forward pass, and so
scores, x-features and the winners of max pooling, is in float32, and for exact maps in float64 if
the device supports it. Sums above Z are computed in float64."""


_KEPT_VALUES = 2**18  # most values of a map that is kept, such as pool3 of VGG16


@dataclass(frozen=True, eq=False)
class _ForwardPass:
    """The forward pass of one photo: traces up to the trunk's end and up to Z, and the logits.

    ``maps`` are outputs of the trunk, (1, C, h, w), by the number of layers below them.
    """

    trunk: Trace
    z: Trace
    logits: Tensor
    maps: Mapping[int, Tensor]

    @property
    def nbytes(self) -> int:
        """Memory of steps and maps, in bytes. The trace up to Z includes that of the trunk."""
        return self.z.nbytes + sum(one.nbytes for one in self.maps.values())


class Engine:
    """Draws c-MWP maps of a classifier's neurons, and of modules on its Z. Thread-safe.

    Parameters
    ----------
    backbone : Backbone
        The classifier, on the device where it will stay.
    precision : {"float32", "exact", "bfloat16"}
        See `PRECISIONS`. Maps in float32 differ from those in float64 by 3e-3 at most, since a few
        dozen pixels win their pooling window by a rounding error; exact ones differ by 1e-4. Maps
        in bfloat16 take half the time and correlate with exact ones at 0.999 or more.

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
        self._passes: OrderedDict[tuple[str, str], _ForwardPass] = OrderedDict()
        self._lock = RLock()

    def trace(self, pixels: NDArray[np.float32], stop: str) -> Trace:
        """Return the forward pass of a photo up to Z, from the cache if it is there.

        Parameters
        ----------
        pixels : NDArray of float32
            (3, H, W), normalised, at the classifier's input size.
        stop : str
            Where the maps are taken; see `Backbone.stops`.

        Returns
        -------
        Trace
            Its output is Z, (1, S_z), >= 0.
        """
        return self._run_forward(pixels, stop).z

    @torch.no_grad()
    @fixed_arithmetic()
    def _run_forward(self, pixels: NDArray[np.float32], stop: str) -> _ForwardPass:
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        key = (digest, stop)
        with self._lock:
            if key in self._passes:
                self._passes.move_to_end(key)
                return self._passes[key]
        backbone, dtype = self.backbone, PRECISIONS[self.precision]
        images = self._to_images(pixels)
        trunk, maps = self._run_trunk(images, digest, backbone.get_stop(stop))
        z = trunk.extend(make_rules(backbone.readout, images), dtype=dtype)
        forward = _ForwardPass(trunk, z, backbone.top(trunk.output.to(torch.float32)), maps)
        with self._lock:
            self._passes[key] = forward
            while len(self._passes) > 1 and self._count_bytes() > MAX_TRACE_BYTES:
                self._passes.popitem(last=False)
        return forward

    def _run_trunk(
        self, images: Tensor, digest: str, stop: int
    ) -> tuple[Trace, Mapping[int, Tensor]]:
        """Trace an image from `stop` layers up, and return the maps that are kept as well."""
        maps: dict[int, Tensor] = {}
        known = self._find_map(digest, stop)
        if known is None:
            begun, done = start_trace(images, exact=self.precision == "exact"), 0
        else:
            begun, done, maps[stop] = Trace(known), stop, known

        def keep(count: int, output: Tensor) -> None:
            if done + count in self._kept_maps:
                maps[done + count] = output

        dtype = PRECISIONS[self.precision]
        rules = self._trunk_rules[done:]
        return begun.extend(rules, stop=stop - done, dtype=dtype, watch=keep), maps

    def _find_map(self, digest: str, count: int) -> Tensor | None:
        """Return the map of a photo that takes `count` layers, if a forward pass kept it."""
        with self._lock:
            for (photo, _), forward in self._passes.items():
                if photo == digest and count in forward.maps:
                    return forward.maps[count]
        return None

    def compute_map(self, pixels: NDArray[np.float32], layer: str) -> Tensor:
        """Compute the output of a layer for a photo, (1, C, h, w) float32, >= 0.

        It comes from the forward pass of the maps at `DEFAULT_STOP` if it is kept there. See
        `trace` for the parameters.
        """
        kept = self._get_kept(pixels, self.backbone.get_stop(layer))
        if kept is None:
            return self.backbone.compute_map(self._to_images(pixels), layer)
        return kept

    def compute_pooled(self, pixels: NDArray[np.float32]) -> Tensor:
        """Compute the means of the last map of a photo, (1, P), as `Backbone.compute_pooled` does.

        It comes from the forward pass of the maps at `DEFAULT_STOP` if it is kept there. See
        `trace` for the parameters.
        """
        kept = self._get_kept(pixels, self.backbone.spatial_count)
        if kept is None:
            return self.backbone.compute_pooled(self._to_images(pixels))
        return kept.mean(dim=(2, 3))

    def _get_kept(self, pixels: NDArray[np.float32], count: int) -> Tensor | None:
        """Return the map that takes `count` layers, if the usual forward pass keeps it."""
        if count not in self._kept_maps:
            return None
        return self._run_forward(pixels, DEFAULT_STOP).maps[count].to(torch.float32)

    def _to_images(self, pixels: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(pixels)[None].to(self.backbone.device)

    def _count_bytes(self) -> int:
        return sum(kept.nbytes for kept in self._passes.values())

    def score(
        self, pixels: NDArray[np.float32], stop: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return Z (S_z,), >= 0, and the logits (C,), signed, of a photo.

        They come from the same forward pass as the maps at `stop`. See `trace` for the parameters.
        """
        forward = self._run_forward(pixels, stop)
        z = forward.z.output.to(torch.float32)
        return z[0].cpu().numpy(), forward.logits[0].cpu().numpy()

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
            The layers above Z, up to a Linear. If it is empty, dimensions of Z itself are drawn.
        stop : str
            Where the maps are taken; see `Backbone.stops`.
        neurons : sequence of int, optional
            Which outputs, in this order; by default all.

        Returns
        -------
        NDArray of float32
            (K, h, w), raw, >= 0.
        """
        return self._draw(self._run_forward(pixels, stop).z, top, neurons)

    def draw_logit(
        self, pixels: NDArray[np.float32], category: str, stop: str
    ) -> NDArray[np.float32]:
        """Draw c-MWP of a category's logit, (1, h, w): the paper's ExcitationBP.

        See `draw` for the parameters.
        """
        backbone = self.backbone
        trunk = self._run_forward(pixels, stop).trunk
        return self._draw(trunk, backbone.top, [backbone.categories.index(category)])

    @torch.no_grad()
    @fixed_arithmetic()
    def _draw(
        self, trace: Trace, top: Iterable[nn.Module], neurons: Sequence[int] | None
    ) -> NDArray[np.float32]:
        rules = make_rules(top, next(self.backbone.layers.parameters()))
        above = trace.extend(rules, dtype=PRECISIONS[self.precision])
        maps: NDArray[np.float32] = above.draw(neurons)[0].to(torch.float32).cpu().numpy()
        return maps

    @cached_property
    def _kept_maps(self) -> frozenset[int]:
        """Count the layers up to each map that is kept."""
        backbone = self.backbone
        shapes = list_output_shapes(list(backbone.trunk), (3, *backbone.architecture.input_size))
        counts = {*backbone.stops.values(), backbone.spatial_count}
        return frozenset(
            count
            for count in counts
            if count <= len(shapes) and math.prod(shapes[count - 1]) <= _KEPT_VALUES
        )

    @cached_property
    def _trunk_rules(self) -> list[Rule]:
        return make_rules(self.backbone.trunk, next(self.backbone.layers.parameters()))
