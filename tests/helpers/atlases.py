"""Makes atlases by hand."""

from typing import Any

from explorer.explaining.atlas import SCHEMA_VERSION, Atlas, AtlasFeature, AtlasModule
from explorer.measuring.name_records import FeatureName

PARTS = ("beak", "crown", "left wing", "right wing")


def make_feature(x_feature: int = 1, name: str | None = None, **figures: Any) -> AtlasFeature:
    """Make an x-feature; `shares` are those of the heat on `PARTS`."""
    shares = figures.pop("shares", None)
    known = {"note": None, "own_name": None, "outside": None if shares is None else 0.2}
    if shares is not None:
        known["part_shares"] = dict(zip(PARTS, shares, strict=True))
    return AtlasFeature(x_feature, name, **known | figures)


def make_atlas(**modules: list[AtlasFeature]) -> Atlas:
    """Make an atlas of modules by the names of their categories."""
    return Atlas(
        SCHEMA_VERSION,
        "tiny",
        "c" * 64,
        PARTS,
        tuple(
            AtlasModule(
                f"{n:03d}.{name}", name.replace("_", " "), "srae-k5-s0", f"{n:064x}", tuple(own)
            )
            for n, (name, own) in enumerate(modules.items(), start=1)
        ),
    )


def find(words: str, kind: Any = "attribute") -> FeatureName:
    return FeatureName(kind, words)
