"""The workspace of real birds that is shipped."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from photos import hide_photos
from PIL import Image

from explorer.config import BIRDS_WORKSPACE, REPOSITORY_ROOT, run
from explorer.data.photo import load_photo
from explorer.evaluation.results import load_results
from explorer.evaluation.settings import draw_categories
from explorer.measuring.records import (
    ModuleMeasures,
    load_classifier_measures,
    load_module_measures,
)
from explorer.measuring.references import load_references
from explorer.methods.registry import DEFAULT, METHODS
from explorer.shipping.packing import MOST_MEGABYTES
from explorer.ui.shared.workspaces import introduce
from explorer.workspace.workspace import Workspace

pytestmark = pytest.mark.skipif(
    not BIRDS_WORKSPACE.is_dir(), reason="the workspace of real birds is not in this clone"
)
LEAST_ACCURACY = 0.65


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Return the workspace as on a machine without photos. Read only."""
    with pytest.MonkeyPatch.context() as patch:
        hide_photos(patch, tmp_path_factory.mktemp("cache"))
        yield Workspace(BIRDS_WORKSPACE)


@pytest.fixture(scope="module")
def measures(birds: Workspace) -> list[ModuleMeasures]:
    found = [load_module_measures(birds, entry) for entry in birds.list_modules()]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


def list_files() -> list[Path]:
    return [path for path in BIRDS_WORKSPACE.rglob("*") if path.is_file() and path.name != ".lock"]


def test_it_is_small_and_has_no_photo() -> None:
    files = list_files()
    assert sum(path.stat().st_size for path in files) <= MOST_MEGABYTES * 1e6
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".npz", ".gz", ".csv"}
    for path in files:
        with pytest.raises(OSError):  # noqa: PT011 (whatever it is, no picture)
            Image.open(path)


def test_no_file_names_a_folder_of_the_machine_it_was_made_on() -> None:
    for path in list_files():
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            data = data[8 : 8 + int.from_bytes(data[:8], "little")]  # the header
        if path.suffix in (".json", ".safetensors", ".csv"):
            assert b'"/' not in data, path


def test_it_knows_all_species_and_opens_without_photos(birds: Workspace) -> None:
    assert len(birds.dataset.categories) == 200
    assert len(birds.dataset.photos) == 11_788
    assert not birds.dataset.has_photos
    assert not birds.is_painted
    assert list(birds.networks.compute_features()) == [], "nothing is left to compute"
    found = load_classifier_measures(birds)
    assert found is not None
    assert found.test_photos == 5_794
    assert (found.test_accuracy or 0) >= LEAST_ACCURACY
    assert birds.has_part_finder
    assert load_references(birds) is not None


def test_it_opens_with_a_species_that_it_has(birds: Workspace) -> None:
    known = introduce(BIRDS_WORKSPACE)
    assert known is not None
    assert known.example in birds.dataset.categories


def test_every_species_has_a_module_of_different_concepts_with_names(
    birds: Workspace, measures: list[ModuleMeasures]
) -> None:
    entries = birds.list_modules()
    assert [entry.category for entry in entries] == list(birds.dataset.categories)
    assert {birds.load_record(entry).settings["method"] for entry in entries} == {DEFAULT.name}
    numbers = [one.concepts.effective_number for one in measures if one.concepts is not None]
    assert len(numbers) == 200
    assert min(number or 0 for number in numbers) >= 2.5
    assert np.mean([one.test.faithfulness.relative_f_reg or 1 for one in measures]) <= 0.02
    assert np.mean([one.concepts.overlap for one in measures if one.concepts]) <= 0.2
    assert np.mean([one.concepts.top_share for one in measures if one.concepts]) <= 0.45
    assert min(min(one.test.mean_contribution) for one in measures) > 0
    kinds = [name.kind for one in measures for name in one.names]
    assert len(kinds) == 1_000
    assert kinds.count("unclear") <= 100
    assert kinds.count("attribute") >= 300
    assert all(one.heats for one in measures), "names can be found again"


def test_it_explains_a_photo_of_its_own_accord(birds: Workspace) -> None:
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    explanation = birds.networks.explain(birds.list_modules()[16], image, "pool4")
    module, _ = birds.networks.load_module(birds.list_modules()[16])
    assert explanation.base == pytest.approx(float(module.v.bias), abs=1e-3)
    assert explanation.base != 0
    assert explanation.maps.shape[0] == 5


def test_scores_of_packed_features_are_those_of_the_photos(birds: Workspace) -> None:
    features = run(birds.networks.compute_features())
    labels = [birds.dataset.get_photo(one).category_index for one in features.image_ids.tolist()]
    held_out = np.isin(features.image_ids, [photo.image_id for photo in birds.held_out])
    right = features.logits.argmax(axis=1) == labels
    found = load_classifier_measures(birds)
    assert found is not None
    assert right[held_out].mean() == pytest.approx(found.test_accuracy, abs=1e-3)


def test_photos_that_are_not_there_are_named_as_such(birds: Workspace) -> None:
    with pytest.raises(Exception, match=r"not on this computer|cannot be read|no photos"):
        load_photo(birds.dataset.photos[0])


def test_the_documented_comparison_is_that_of_the_birds(birds: Workspace) -> None:
    results = load_results(birds.path)
    assert results is not None
    drawn = draw_categories(birds.dataset.categories, 30, 0)
    assert {row.category for row in results.rows} == set(drawn)
    assert {row.method for row in results.rows} == set(METHODS)
    reported = (REPOSITORY_ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for table in results.tables:
        assert table.text in reported, table.section.title
    for sentence in results.findings:
        assert sentence in reported
