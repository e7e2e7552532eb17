"""The atlas as files for other programs: JSON with everything, and a table with a row each."""

from collections.abc import Sequence

import msgspec

from explorer.explaining.atlas import Atlas, AtlasFeature, AtlasModule
from explorer.storage.packing import make_csv

_FIGURES = ("live", "mean_contribution", "auc", "locality", "outside")
_EVIDENCE = ("heat", "correlation", "low", "high", "elsewhere")


def make_json(atlas: Atlas) -> bytes:
    """Write an atlas as indented JSON in UTF-8; see ``docs/atlas.md``."""
    return msgspec.json.format(msgspec.json.encode(atlas), indent=1) + b"\n"


def make_table(atlas: Atlas) -> bytes:
    """Write an atlas as CSV with a row per x-feature; what is unknown is empty."""
    rows = [(module, one) for module in atlas.modules for one in module.x_features]
    return make_csv(
        {
            **{
                column: [getattr(module, name) for module, _ in rows]
                for column, name in {
                    "category": "category",
                    "category_name": "category_name",
                    "module_run": "run",
                    "module_sha256": "module_sha256",
                }.items()
            },
            **{
                name: _list_values([one for _, one in rows], name)
                for name in ("x_feature", "name", "own_name", "note", *_FIGURES)
            },
            "strongest": [_join(one.strongest) for _, one in rows],
            **_list_found(rows),
            **{
                f"share_{part.replace(' ', '_')}": [
                    "" if one.part_shares is None else one.part_shares[part] for _, one in rows
                ]
                for part in atlas.part_names
            },
        }
    )


def _list_found(rows: Sequence[tuple[AtlasModule, AtlasFeature]]) -> dict[str, list[object]]:
    found = [one.found for _, one in rows]
    return {
        "found_name": ["" if name is None else name.words for name in found],
        "found_kind": ["" if name is None else name.kind for name in found],
        "against": ["" if name is None else name.is_against for name in found],
        "parts": ["" if name is None else _join(name.parts) for name in found],
        "also_on": ["" if name is None else _join(name.also_on) for name in found],
        **{key: _list_values(found, key) for key in _EVIDENCE},
    }


def _list_values(records: Sequence[object], name: str) -> list[object]:
    values = [getattr(record, name, None) for record in records]
    return ["" if value is None else value for value in values]


def _join(values: Sequence[object]) -> str:
    return ";".join(map(str, values))
