import csv
import json
import re
from dataclasses import fields

import pytest
from atlases import find, make_atlas, make_feature

from explorer.config import REPOSITORY_ROOT
from explorer.explaining.atlas import Atlas, AtlasFeature, AtlasModule
from explorer.explaining.atlas_files import make_json, make_table
from explorer.measuring.name_records import FeatureName
from explorer.storage.json_records import convert_record, parse_json

DOCUMENTED = {
    "atlas": Atlas,
    "module": AtlasModule,
    "x-feature": AtlasFeature,
    "found": FeatureName,
}
ATLAS = make_atlas(
    Red_Finch=[
        make_feature(
            1,
            "red cap",
            own_name="red cap",
            note="two\nlines, “quoted”",
            found=find("red crown"),
            live=True,
            mean_contribution=2.5,
            auc=0.75,
            locality=1.5,
            strongest=(7, 3),
            shares=[0.5, 0.25, 0.25, 0.0],
        ),
        make_feature(2),
    ],
    Wren=[],
)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_field_is_documented_in_its_order(name: str) -> None:
    text = (REPOSITORY_ROOT / "docs" / "atlas.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| `(\w+)` \| ", text, re.MULTILINE)
    assert {row[0] for row in rows} == set(DOCUMENTED)
    documented = [field for owner, field in rows if owner == name]
    assert documented == [field.name for field in fields(DOCUMENTED[name])]


def test_json_holds_everything() -> None:
    data = make_json(ATLAS)
    assert convert_record(parse_json(data), Atlas) == ATLAS
    first = json.loads(data)["modules"][0]["x_features"][0]
    assert first["note"] == "two\nlines, “quoted”"
    assert first["part_shares"]["crown"] == 0.25
    assert first["found"]["kind"] == "attribute"


def test_the_table_has_a_row_for_each_x_feature() -> None:
    first, second = csv.DictReader(make_table(ATLAS).decode().splitlines(keepends=True))
    assert first["category"] == "001.Red_Finch"
    assert (first["category_name"], first["module_run"]) == ("Red Finch", "srae-k5-s0")
    assert (first["name"], first["found_name"], first["found_kind"]) == (
        "red cap",
        "red crown",
        "attribute",
    )
    assert first["note"] == "two\nlines, “quoted”"
    assert (first["live"], float(first["auc"]), first["strongest"]) == ("True", 0.75, "7;3")
    shares = [float(first[f"share_{part}"]) for part in ("beak", "crown", "left_wing")]
    assert shares == [0.5, 0.25, 0.25]
    assert second["x_feature"] == "2"
    assert {second[key] for key in second} - {"2", "001.Red_Finch", "Red Finch"} == {
        "",
        "srae-k5-s0",
        ATLAS.modules[0].module_sha256,
    }
