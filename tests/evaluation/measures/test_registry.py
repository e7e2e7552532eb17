import importlib
from pathlib import Path

import pytest

from explorer.evaluation import measures
from explorer.evaluation.measures.registry import MEASURES

NO_MEASURE = {"__init__", "base", "registry", "titles"}


def test_every_file_of_the_folder_is_registered() -> None:
    folder = Path(measures.__file__).parent
    names = {file.stem for file in folder.glob("*.py")} - NO_MEASURE
    found = {importlib.import_module(f"{measures.__name__}.{name}").MEASURE for name in names}
    assert found == set(MEASURES)
    assert len(MEASURES) == len(names)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.measure.__name__)
def test_columns_are_explained(measure: measures.base.Measure) -> None:
    for section in measure.sections:
        assert section.columns
        assert section.caption.endswith(".")
