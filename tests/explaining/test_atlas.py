import json
import shutil
from pathlib import Path

import pytest

from explorer.explaining.atlas import Atlas, describe_atlas
from explorer.measuring.records import load_module_measures
from explorer.storage.reading import hash_regular
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import get_notes_path, load_notes, save_note
from explorer.workspace.notes_file import Note
from explorer.workspace.workspace import Workspace


@pytest.fixture
def workspace(own_workspace: Path) -> Workspace:
    return Workspace(own_workspace)


@pytest.fixture
def entry(workspace: Workspace) -> ModuleEntry:
    (entry,) = workspace.list_modules()
    return entry


def describe(workspace: Workspace) -> Atlas:
    return describe_atlas(workspace, workspace.list_modules())


def change_metrics(entry: ModuleEntry, **changes: object) -> None:
    metrics = json.loads(entry.metrics_path.read_text())
    entry.metrics_path.write_text(json.dumps(metrics | changes))


def write_note(entry: ModuleEntry, feature: int, note: Note) -> None:
    sha256 = load_notes(entry).module_sha256
    save_note(entry, feature, note, base=Note(), module_sha256=sha256)


def test_figures_are_those_that_were_measured(workspace: Workspace, entry: ModuleEntry) -> None:
    measures = load_module_measures(workspace, entry)
    assert measures is not None
    atlas = describe(workspace)
    assert atlas.workspace == workspace.path.name
    assert atlas.classifier_sha256 == workspace.settings.classifier_sha256
    (module,) = atlas.modules
    assert (module.category, module.run) == (entry.category, entry.run)
    assert module.category_name == "Ember-capped Finch"
    assert module.module_sha256 == hash_regular(entry.path)
    assert [one.x_feature for one in module.x_features] == [1, 2, 3, 4, 5]
    for n, one in enumerate(module.x_features):
        assert one.live == measures.live[n]
        assert one.mean_contribution == measures.test.mean_contribution[n]
        assert (one.auc, one.strongest) == (
            measures.firing[n].auc,
            measures.firing[n].strongest,
        )
        assert one.found == measures.names[n]
        if measures.locality.test.is_defined[n]:
            assert one.locality == measures.locality.test.locality[n]
            assert one.part_shares is not None
            assert tuple(one.part_shares) == workspace.dataset.part_names
            assert sum(one.part_shares.values()) == pytest.approx(1)
        else:
            assert one.part_shares is one.locality is one.outside is None


def test_own_names_come_before_those_that_were_found(
    workspace: Workspace, entry: ModuleEntry
) -> None:
    found = [{"kind": "attribute", "words": f"mark {n}"} for n in range(5)]
    found[2] = {"kind": "unclear", "words": "unclear"}
    change_metrics(entry, names=found)
    write_note(entry, 1, Note("red cap", "seen on males"))
    write_note(entry, 3, Note("", "what is this?"))
    (module,) = describe(workspace).modules
    assert [one.name for one in module.x_features] == [
        "mark 0",
        "red cap",
        None,
        "mark 3",
        "mark 4",
    ]
    assert [one.own_name for one in module.x_features] == [None, "red cap", None, None, None]
    assert [one.note for one in module.x_features][1::2] == ["seen on males", "what is this?"]


def test_a_module_that_is_not_measured_has_its_notes_alone(
    workspace: Workspace, entry: ModuleEntry
) -> None:
    entry.metrics_path.unlink()
    write_note(entry, 4, Note("tail"))
    (module,) = describe(workspace).modules
    assert len(module.x_features) == 5
    assert module.x_features[4].name == "tail"
    assert {one.live for one in module.x_features} == {None}


def test_measures_of_earlier_versions_have_no_names_nor_auc(
    workspace: Workspace, entry: ModuleEntry
) -> None:
    change_metrics(entry, names=[], firing=[])
    (module,) = describe(workspace).modules
    for one in module.x_features:
        assert one.found is one.auc is None
        assert one.strongest == ()
        assert one.mean_contribution is not None


def test_damage_leaves_out_what_it_must(workspace: Workspace, entry: ModuleEntry) -> None:
    get_notes_path(entry).write_text("no notes")
    entry.metrics_path.write_text("{")
    (module,) = describe(workspace).modules
    assert [one.name for one in module.x_features] == [None] * 5
    entry.path.write_bytes(b"cut short")
    assert describe(workspace).modules == ()


def test_modules_follow_the_order_of_the_categories(
    workspace: Workspace, entry: ModuleEntry
) -> None:
    second = workspace.path / "modules" / workspace.dataset.categories[1] / entry.run
    shutil.copytree(entry.path.parent, second)  # is damaged: it explains the first category
    assert [module.category for module in describe(workspace).modules] == [entry.category]
    later = entry.path.parent.with_name("srae-k5-s1")
    shutil.copytree(entry.path.parent, later)
    entries = workspace.list_modules()[::-1]
    runs = [module.run for module in describe_atlas(workspace, entries).modules]
    assert sorted(runs) == [entry.run, "srae-k5-s1"]
