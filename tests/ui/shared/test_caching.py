"""Cached results are recomputed as soon as anything they depend on has changed."""

import importlib
import pickle
import pkgutil
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from workspaces import PAINTED, make_tiny_workspace

from explorer import ui
from explorer.config import WORKSPACE_VARIABLE, ExplorerError, run
from explorer.data.photo import Photo
from explorer.evaluation.results import write_results
from explorer.evaluation.sanity_results import write_sanity
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.module import measure_module
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.registry import get_architecture
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.ui.atlas import listing as atlas_listing
from explorer.ui.atlas import pictures as atlas_pictures
from explorer.ui.category import scatter as category_scatter
from explorer.ui.compare import measures, numbers, sources
from explorer.ui.compare.sides import RIGHT, UNTRAINED, Side
from explorer.ui.overview import summaries
from explorer.ui.photo_map import choosing, figure
from explorer.ui.quiz import questions as quiz_questions
from explorer.ui.results import confusion, loading
from explorer.ui.shared import birds, cached, drawings, scores, standard
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import SHARED_SCALE, MapStyle
from explorer.ui.shared.subject import Subject
from explorer.ui.x_feature import rebuilding as feature_rebuilding
from explorer.ui.x_feature import summary as feature_summary
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

LAYER = "pool3"
STYLE = MapStyle(LAYER, colours="viridis", opacity=80)
CATEGORY = PAINTED[0]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with two modules of one category, the first of them measured. Read only.

    The second is of another seed, so that its split, weights and maps are others.
    """
    folder = make_tiny_workspace(tmp_path_factory.mktemp("caching") / "worked")
    workspace = Workspace(folder)
    training = TrainingSettings(epochs=2, pretrain_epochs=0, seed=1)
    run(train_module(workspace, CATEGORY, SraeSettings(widths=(16, 8)), training))
    run(measure_classifier(workspace))
    return folder


@pytest.fixture
def folder(worked: Path, tmp_path: Path) -> Path:
    """Return a copy of that workspace, to be changed."""
    return Path(shutil.copytree(worked, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@dataclass(frozen=True)
class Asked:
    """What is asked for in a test: a workspace as a page opens it, a module and a photo."""

    workspace: Workspace
    entry: ModuleEntry
    photo: Photo

    @property
    def shown(self) -> DatasetPhoto:
        return DatasetPhoto(self.photo)

    def make_subject(self) -> Subject:
        found = scores.score_module(self.workspace, self.entry)
        sides = cached.load_split(self.workspace, self.entry).name_sides(found.image_ids)
        return Subject(self.workspace, self.entry, found, sides, {}, 0)


def ask(folder: Path) -> Asked:
    workspace = cached._open_workspace(folder, "cpu")
    entry = next(one for one in workspace.list_modules() if one.category == CATEGORY)
    return Asked(workspace, entry, workspace.dataset.photos_of(CATEGORY)[0])


PROBE = Side(RIGHT, CATEGORY, CATEGORY, "pca", None)


def prepare_probe(asked: Asked) -> object:
    features = scores.load_features(asked.workspace)
    return sources.prepare(asked.workspace, PROBE).activate(features.z, features.logits)


def draw_probe(asked: Asked) -> object:
    layer = sources.get_first_layer(asked.workspace)
    return sources.load_maps(asked.workspace, PROBE, asked.photo, layer)


# Every cached function, by its name, as it is asked for.
FUNCTIONS: dict[str, Callable[[Asked], object]] = {
    "_open_workspace": lambda a: a.workspace.settings,
    "load_split": lambda a: cached.load_split(a.workspace, a.entry),
    "load_parts": lambda a: cached.load_parts(a.photo),
    "load_thumbnail": lambda a: cached.load_thumbnail(a.photo),
    "explain": lambda a: cached.explain(a.workspace, a.entry, a.photo, LAYER),
    "draw_lone_map": lambda a: cached.draw_lone_map(a.workspace, a.entry, a.photo, LAYER, 0),
    "explain_score": lambda a: cached.explain_score(a.workspace, CATEGORY, a.photo, LAYER),
    "load_measures": lambda a: cached.load_measures(a.workspace, a.entry),
    "load_accuracy": lambda a: cached.load_accuracy(a.workspace),
    "list_damaged": lambda a: cached.list_damaged(a.workspace),
    "_collect": lambda a: repr(summaries.summarise(a.workspace)),
    "list_refused_photos": lambda a: cached.list_refused_photos(a.workspace),
    "load_results": lambda a: loading.load_results(a.workspace),
    "load_sanity": lambda a: loading.load_sanity(a.workspace),
    "draw_tile": lambda a: drawings.draw_tile(a.workspace, a.entry, a.shown, STYLE, 0),
    "find_top": lambda a: drawings.find_top(
        a.workspace, a.entry, a.shown, replace(STYLE, scale=SHARED_SCALE), 0
    ),
    "draw_photo": lambda a: drawings.draw_photo(a.shown),
    "draw_score": lambda a: drawings.draw_score(a.workspace, CATEGORY, a.shown, STYLE),
    "_get_feature_holder": lambda a: scores.load_features(a.workspace),
    "_compute_accuracies": lambda a: scores._compute_accuracies(
        a.workspace, scores.load_features(a.workspace)
    ),
    "_score_module": lambda a: scores.score_module(a.workspace, a.entry),
    "load_weights": lambda a: feature_summary.load_weights(a.workspace, a.entry),
    "_rebuild": lambda a: feature_rebuilding._rebuild(
        a.workspace, a.entry, scores.load_features(a.workspace), 0
    ),
    "_draw_scatter": lambda a: category_scatter._draw_scatter(a.make_subject(), "#000000"),
    "load_plain_photo": lambda a: quiz_questions.load_plain_photo(a.photo),
    "_prepare": prepare_probe,
    "_draw": draw_probe,
    "_compute_outputs": lambda a: numbers.load_numbers(a.workspace, PROBE).outputs,
    "_measure_photo": lambda a: measures._measure_photo(a.workspace, CATEGORY, PROBE.by, a.photo),
    "_measure_locality": lambda a: measures._measure_locality(
        a.workspace, CATEGORY, PROBE.by, (a.photo,), (True,) * 5
    ),
    # Before `find_standard`, since it stores what that reads.
    "_compute_standard": lambda a: standard._compute_standard(
        a.workspace, scores.load_features(a.workspace)
    ),
    "find_standard": lambda a: standard.find_standard(a.workspace),
    "load_atlas": lambda a: atlas_listing.load_atlas(a.workspace),
    "draw_strongest": lambda a: atlas_pictures.draw_strongest(a.workspace, a.entry, 0, (a.photo,)),
    "draw_map": lambda a: figure.draw_map(
        a.make_subject(),
        choosing.Choice(choosing.OWN, choosing.X_FEATURES, choosing.ACTIVATION, choosing.ALL),
        "#000000",
    ),
    "collect_answers": lambda a: confusion.collect_answers(
        a.workspace, scores.load_features(a.workspace)
    ),
    "render_small_bird": lambda _: birds.render_small_bird({"beak": 1.0}, "black"),
}
DRAWINGS = {
    "draw_tile",
    "find_top",
    "draw_score",
    "draw_photo",
}  # all in the cache of `_remember_drawing`
OF_PHOTO = {
    *("load_parts", "load_thumbnail", "load_plain_photo", "explain", "draw_lone_map"),
    *("explain_score", "_draw", "_measure_photo", "_measure_locality", "draw_strongest"),
    *DRAWINGS,
}
OF_MODULE = {
    *("load_split", "explain", "load_measures", "draw_tile", "find_top", "draw_lone_map"),
    *("_score_module", "load_weights", "_rebuild", "_draw_scatter"),
    *("load_atlas", "draw_map", "draw_strongest", "_collect"),
}
OF_CLASSIFIER = {
    *("_open_workspace", "explain_score", "load_accuracy", "list_damaged", "draw_score"),
    *("_get_feature_holder", "_compute_standard", "find_standard", "_collect"),
    "_compute_accuracies",
    *(
        "_prepare",
        "_draw",
        "_compute_outputs",
        "_measure_locality",
        "_measure_photo",
        "collect_answers",
    ),
}


def answer(name: str, asked: Asked) -> bytes:
    """Return what a function answers, as bytes that can be compared; a refusal is an answer."""
    try:
        return pickle.dumps(FUNCTIONS[name](asked))
    except ExplorerError as error:
        return str(error).encode()


def find_changed(folder: Path, change: Callable[[Asked], object]) -> set[str]:
    """Return the names of the functions that answer something else after a change."""
    asked = ask(folder)
    before = {name: answer(name, asked) for name in FUNCTIONS}
    assert before == {name: answer(name, ask(folder)) for name in FUNCTIONS}
    change(asked)
    return {name for name in FUNCTIONS if answer(name, ask(folder)) != before[name]}


def test_every_cached_function_is_tried_here() -> None:
    found = set()
    for module in pkgutil.walk_packages(ui.__path__, "explorer.ui."):
        for name, value in vars(importlib.import_module(module.name)).items():
            is_cached = hasattr(value, "clear") and hasattr(value, "__wrapped__")
            if is_cached and value.__module__ == module.name:
                found.add(name)
    found.remove("_get_last")  # of a collection of garbage
    found -= {"_remember_drawing", "_draw_own"}  # what draws is in the key
    assert found == FUNCTIONS.keys() - DRAWINGS


def test_a_module_that_was_trained_again(folder: Path) -> None:
    def train_again(asked: Asked) -> None:
        other = next(e for e in asked.workspace.list_modules() if e.run.startswith("srae-k5-s1"))
        shutil.copy(other.path, asked.entry.path)

    assert find_changed(folder, train_again) == OF_MODULE


def test_a_module_that_was_damaged_and_mended(folder: Path) -> None:
    asked = ask(folder)
    whole = asked.entry.path.read_bytes()
    assert cached.list_damaged(asked.workspace) == {}
    asked.entry.path.write_bytes(whole[:50])
    assert list(cached.list_damaged(asked.workspace)) == [asked.entry.path]
    asked.entry.path.write_bytes(whole)
    assert cached.list_damaged(asked.workspace) == {}


def test_a_photo_that_was_replaced(folder: Path) -> None:
    def replace_photo(asked: Asked) -> None:
        others = asked.workspace.dataset.photos_of(PAINTED[1])
        shutil.copy(others[0].path, asked.photo.path)

    assert find_changed(folder, replace_photo) == OF_PHOTO


@pytest.mark.parametrize("changed", ["box", "parts", "visible"])
def test_annotations_that_were_corrected(folder: Path, changed: str) -> None:
    asked = ask(folder)
    photo = asked.photo
    seen = np.flatnonzero(photo.visible)
    parts, visible = photo.parts.copy(), photo.visible.copy()
    parts[seen], visible[seen[0]] = parts[seen[::-1]], False
    corrected = {
        "box": replace(photo, box=(photo.box[0] + 9, *photo.box[1:])),
        "parts": replace(photo, parts=parts),
        "visible": replace(photo, visible=visible),
    }[changed]
    assert answer("load_parts", replace(asked, photo=corrected)) != answer("load_parts", asked)
    maps = cached.explain(asked.workspace, asked.entry, photo, LAYER).maps
    before = DatasetPhoto(photo).parts.measure(maps)
    after = DatasetPhoto(corrected).parts.measure(maps)
    assert not np.array_equal(after.values, before.values)


def test_a_classifier_that_was_replaced(folder: Path) -> None:
    def install(asked: Asked) -> None:
        torch.manual_seed(1)
        layers = flatten_network(build_network("vgg_small", 12, batch_norm=False))
        categories = asked.workspace.dataset.categories
        backbone = Backbone(get_architecture("vgg_small"), layers, categories)
        Workspace(folder).networks.install_classifier(backbone, {})

    # Results of a module are refused, since it belongs to the previous classifier.
    own = {"load_parts", "load_thumbnail", "load_plain_photo", "draw_photo"}
    changed = find_changed(folder, install)
    assert changed == (OF_CLASSIFIER | OF_MODULE)
    assert not changed & own
    asked = ask(folder)
    assert cached.load_accuracy(asked.workspace) is None
    with pytest.raises(ExplorerError, match="was trained on another network"):
        cached.load_split(asked.workspace, asked.entry)
    with pytest.raises(ExplorerError, match="another"):
        cached.explain(asked.workspace, asked.entry, asked.photo, LAYER)


def test_measures_that_were_written(folder: Path) -> None:
    asked = ask(folder)
    written = asked.entry.metrics_path.read_bytes()
    asked.entry.metrics_path.unlink()
    assert cached.load_measures(asked.workspace, asked.entry) is None
    asked.entry.metrics_path.write_bytes(written)
    measures = cached.load_measures(asked.workspace, asked.entry)
    assert measures is not None
    asked.entry.metrics_path.write_bytes(b"{")
    with pytest.raises(ExplorerError, match=r"metrics\.json"):
        cached.load_measures(asked.workspace, asked.entry)
    assert cached.load_measures_or_none(asked.workspace, asked.entry) is None
    assert run(measure_module(asked.workspace, asked.entry)) == measures
    assert cached.load_measures(asked.workspace, asked.entry) == measures


def test_accuracy_that_was_measured(folder: Path) -> None:
    asked = ask(folder)
    (folder / "metrics.json").unlink()
    assert cached.load_accuracy(asked.workspace) is None
    measured = run(measure_classifier(asked.workspace))
    assert cached.load_accuracy(asked.workspace) == measured
    (folder / "metrics.json").write_text("{")
    with pytest.raises(ExplorerError, match=r"metrics\.json"):
        cached.load_accuracy(asked.workspace)
    assert cached.load_accuracy_or_none(asked.workspace) is None


def test_results_that_were_rewritten(folder: Path) -> None:
    row = {"method": "z", "category": CATEGORY, "seed": 0, "condition": "trained"}
    asked = ask(folder)
    for load, write in (
        (loading.load_results, write_results),
        (loading.load_sanity, write_sanity),
    ):
        assert load(asked.workspace) is None
        for locality in (1.5, 2.5):
            write(folder, [{**row, "measures": {"locality": locality}}])
            found = load(asked.workspace)
            assert found is not None
            assert [one.value for one in found.rows] == [locality]
        file = folder / "results" / f"{'results' if write is write_results else 'sanity'}.csv"
        file.write_text("no results")
        with pytest.raises(ExplorerError, match="is damaged"):
            load(asked.workspace)


@pytest.mark.parametrize(
    ("setting", "words", "among"),
    [
        ("held_out", "last:2", {"_open_workspace", "_compute_standard", "find_standard"}),
        ("z_layer", "fc7", {"_open_workspace", "_get_feature_holder"}),
    ],
)
def test_settings_that_were_changed(
    folder: Path, setting: str, words: str, among: set[str]
) -> None:
    def change(asked: Asked) -> None:
        file = folder / "workspace.json"
        before = getattr(asked.workspace.settings, setting)
        file.write_text(file.read_text().replace(f'"{before}"', f'"{words}"'))

    changed = find_changed(folder, change)
    assert among <= changed
    assert "load_parts" not in changed
    # A module that reads another layer is refused; whether photos are held out is none of its.
    assert ("load_split" in changed) == (setting == "z_layer")


def test_photos_that_are_gone(folder: Path) -> None:
    asked = ask(folder)
    before = answer("_draw_scatter", asked)
    asked.workspace.dataset.photos_of(PAINTED[1])[3].path.unlink()
    for kept in (cached._open_workspace, scores._get_feature_holder):
        kept.clear()  # as when other workspaces have been seen since
    asked = ask(folder)
    assert len(scores.load_features(asked.workspace).image_ids) == 47
    assert len(scores.score_module(asked.workspace, asked.entry).image_ids) == 47
    assert answer("_draw_scatter", asked) != before


def test_two_workspaces_do_not_share(worked: Path, folder: Path) -> None:
    other = ask(folder)
    asked = ask(worked)
    others = other.workspace.list_modules()
    shutil.copy(next(e.path for e in others if e.run.startswith("srae-k5-s1")), other.entry.path)
    for name in ("explain", "load_split", "_score_module", "load_weights", "load_measures"):
        assert answer(name, asked) != answer(name, other), name


def test_nothing_is_computed_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for another session, which has opened the workspace by itself."""
    made: Counter[str] = Counter()

    def watch(owner: object, name: str) -> None:
        compute = getattr(owner, name)

        def count(*args: object, **options: object) -> object:
            runs = [f"{one.category} {one.run}" for one in args if isinstance(one, ModuleEntry)]
            made[" ".join([name, *runs])] += 1
            return compute(*args, **options)

        monkeypatch.setattr(owner, name, count)

    watch(cached, "read_parts")
    for name in ("explain", "explain_score"):
        watch(type(ask(folder).workspace.networks), name)
    watch(type(UNTRAINED["pca"]), "fit")
    watch(scores, "score_photos")
    watch(cached, "load_module_measures")
    watch(cached, "load_classifier_measures")
    asked = ask(folder)
    again = replace(asked, workspace=Workspace(folder))
    for one in (asked, again, asked):
        for name in FUNCTIONS:
            answer(name, one)
    assert set(made.values()) == {1}, made  # the atlas draws at the same layer
    assert len({name.split(" ")[0] for name in made}) == 7


def test_callers_cannot_change_what_others_get(folder: Path) -> None:
    asked = ask(folder)
    for load in (
        lambda: cached.load_parts(asked.photo).image,
        lambda: cached.explain(asked.workspace, asked.entry, asked.photo, LAYER).maps,
    ):
        before = load().copy()
        load()[:] = 0
        assert before.any()
        np.testing.assert_array_equal(load(), before)


def test_the_chosen_workspace_is_opened_once_and_again_when_it_was_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(folder))
    opened = cached.open_workspace()
    assert opened.path == folder
    assert cached.open_workspace() is opened
    (folder / "workspace.json").write_text((folder / "workspace.json").read_text())
    assert cached.open_workspace() is not opened
