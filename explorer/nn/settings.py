"""The shape of an explanation module."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from explorer.settings.declaring import check_settings, setting

Shape = TypeVar("Shape", bound="ModuleShape")
_PUBLIC_Z_SIZE = 4096
_PUBLIC_WIDTHS = (800, 100)


@dataclass(frozen=True)
class ModuleShape:
    """Shape of an explanation module.

    The paper prints no widths; the defaults follow public code derived from the authors'
    (4096-800-100-5-100-800-4096).

    Attributes
    ----------
    x_features : int
        Number of x-features.
    widths : tuple of int
        Hidden widths of the encoder from Z downwards; the decoder mirrors them. Empty: scaled
        from the public code's with the size of Z.
    """

    x_features: int = setting(
        5,
        "How many concepts the module squeezes what the network saw into.",
        label="X-features",
        low=1,
        high=1024,
    )
    widths: tuple[int, ...] = setting(
        (),
        "Sizes of the layers between Z and the x-features, from Z downwards, such as 800x100.",
        low=1,
        high=2**20,
        usual="in proportion to Z",
    )

    def __post_init__(self) -> None:
        check_settings(self)


def read_shape(values: Mapping[str, Any]) -> ModuleShape:
    """Read the shape from what `ModuleSettings.describe` listed, whatever the method.

    Raises
    ------
    KeyError, TypeError, ExplorerError
        When something is missing, of another type or out of range.
    """
    return ModuleShape(x_features=values["x_features"], widths=tuple(values["widths"]))


def scale_widths(settings: Shape, z_size: int) -> Shape:
    """Fill in the widths that are left open, in proportion to the size of Z.

    The last hidden layer keeps at least four times the x-features, so that a small Z does not
    squeeze them twice.
    """
    if settings.widths:
        return settings
    first, second = (round(width * z_size / _PUBLIC_Z_SIZE) for width in _PUBLIC_WIDTHS)
    narrowest = 4 * settings.x_features
    return replace(settings, widths=(max(first, narrowest), max(second, narrowest)))
