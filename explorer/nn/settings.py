"""The shape of an explanation module."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from explorer.config import ExplorerError
from explorer.settings.declaring import check_settings, setting

Shape = TypeVar("Shape", bound="ModuleShape")
_PUBLIC_Z_SIZE = 4096
_PUBLIC_WIDTHS = (800, 100)


@dataclass(frozen=True)
class ModuleShape:
    """Shape of an explanation module.

    The paper states no widths. The defaults follow public code derived from the authors' code
    (4096-800-100-5-100-800-4096).

    Attributes
    ----------
    x_features : int
        Number of x-features.
    widths : tuple of int
        Hidden widths of the encoder, from Z to the x-features; the decoder mirrors them. If empty,
        those of the public code are scaled with the size of Z.
    has_base : bool
        Whether ȳ = b + vᵀE, with a base b, instead of the paper's ȳ = vᵀE. A choice of the method.
    """

    x_features: int = setting(
        5,
        "Number of concepts that the module reduces Z to.",
        label="X-features",
        low=1,
        high=1024,
    )
    widths: tuple[int, ...] = setting(
        (),
        "Sizes of the layers between Z and the x-features, such as 800x100.",
        low=1,
        high=2**20,
        default_text="in proportion to Z",
    )
    has_base: bool = False

    def __post_init__(self) -> None:
        check_settings(self)


def read_shape(values: Mapping[str, Any]) -> ModuleShape:
    """Read the shape from the output of `ModuleSettings.describe` of any method.

    Raises
    ------
    TypeError, ExplorerError
        When a value is missing, of the wrong type or out of range.
    """
    for name in ("x_features", "widths"):
        if name not in values:
            raise ExplorerError(f"its settings lack {name!r}")
    has_base = values.get("has_base", False)  # files of earlier versions do not say
    if not isinstance(has_base, bool):
        raise ExplorerError(f"its setting 'has_base' is {has_base!r}, not true or false")
    return ModuleShape(values["x_features"], tuple(values["widths"]), has_base)


def scale_widths(settings: Shape, z_size: int) -> Shape:
    """Set the widths in proportion to the size of Z if they are empty.

    Hidden layers have at least four times the number of x-features, so that they are not narrower
    than these for a small Z.
    """
    if settings.widths:
        return settings
    first, second = (round(width * z_size / _PUBLIC_Z_SIZE) for width in _PUBLIC_WIDTHS)
    narrowest = 4 * settings.x_features
    return replace(settings, widths=(max(first, narrowest), max(second, narrowest)))
