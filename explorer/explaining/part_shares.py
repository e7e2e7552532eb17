"""On which parts of the bird an explanation lies, by parts that are found on the photo."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.doubt import Level
from explorer.explaining.answer import Answer
from explorer.measuring.found_parts import make_found_parts
from explorer.nn.part_finder import FoundParts
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True, eq=False)
class PartShares:
    """Found parts, and the share of each x-feature's heat on them.

    Attributes
    ----------
    names : tuple of str
        (P,), as in ``parts.txt``.
    found : FoundParts
        Box and parts, in pixels of the photo.
    shares : NDArray of float64
        (K, P), in [0, 1]; the rest of a map lies outside the box. Zero for a map without heat.
    """

    names: tuple[str, ...]
    found: FoundParts
    shares: NDArray[np.float64]


def find_part_shares(
    workspace: Workspace, answer: Answer, entry: ModuleEntry, image: NDArray[np.uint8]
) -> PartShares | None:
    """Find parts on an RGB image (H, W, 3), and measure the maps of a module against them.

    Returns
    -------
    PartShares or None
        None without a part finder, and for a strange photo, on which what is found means nothing.
    """
    if answer.judgement is not None and answer.judgement.level is Level.STRANGE:
        return None
    found = workspace.networks.find_parts(image)
    if found is None:
        return None
    maps = workspace.networks.explain(entry, image).maps
    shares = make_found_parts(image, found).measure(maps).values
    return PartShares(workspace.dataset.part_names, found, shares)
