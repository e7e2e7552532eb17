"""Compares the documented format of ``explain --json`` with the records that are written."""

import re
from dataclasses import fields

import pytest

from explorer.analysis.trust import Count
from explorer.config import REPOSITORY_ROOT
from explorer.explaining.records import (
    CategoryRecord,
    ExplanationRecord,
    FailureRecord,
    FoundPartRecord,
    FoundRecord,
    PhotoRecord,
    ReportRecord,
    XFeatureRecord,
)

DOCUMENTED = {
    "report": ReportRecord,
    "failure": FailureRecord,
    "photo": PhotoRecord,
    "found": FoundRecord,
    "part": FoundPartRecord,
    "count": Count,
    "category": CategoryRecord,
    "explanation": ExplanationRecord,
    "x-feature": XFeatureRecord,
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_field_is_documented_in_its_order(name: str) -> None:
    text = (REPOSITORY_ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| `(\w+)` \| ", text, re.MULTILINE)
    assert {row[0] for row in rows} == set(DOCUMENTED)
    documented = [field for owner, field in rows if owner == name]
    assert documented == [field.name for field in fields(DOCUMENTED[name])]
