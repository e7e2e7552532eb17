from pathlib import Path

from explorer.workspace.layout import get_module_entry, list_module_entries


def test_modules_are_listed_by_category_and_run(tmp_path: Path) -> None:
    assert list_module_entries(tmp_path) == ()
    wanted = [("002.B", "nn-k5-s0"), ("001.A", "srae-k5-s1"), ("001.A", "srae-k5-s0")]
    for category, run in wanted:
        entry = get_module_entry(tmp_path, category, run)
        entry.path.parent.mkdir(parents=True)
        entry.path.touch()
    (tmp_path / "modules" / "003.Empty" / "run").mkdir(parents=True)
    (tmp_path / "modules" / "note.txt").touch()
    entries = list_module_entries(tmp_path)
    assert [(entry.category, entry.run) for entry in entries] == sorted(wanted)
    assert entries[0] == get_module_entry(tmp_path, "001.A", "srae-k5-s0")
    assert entries[0].metrics_path == entries[0].path.parent / "metrics.json"
