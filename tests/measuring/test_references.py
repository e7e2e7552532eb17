import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from steps import run_steps

from explorer.analysis.doubt import compute_means, compute_resemblance
from explorer.config import PUBLIC_VARIABLE
from explorer.data.photo import load_photo
from explorer.measuring.references import (
    References,
    compute_references,
    compute_references_key,
    load_or_compute_references,
    load_references,
    save_references,
)
from explorer.workspace.layout import FEATURES_FOLDER, REFERENCES_FILE, WorkspaceError
from explorer.workspace.settings import save_settings
from explorer.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def computed(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("own") / "workspace"))
    run_steps(load_or_compute_references(Workspace(folder)))
    return folder


@pytest.fixture
def own(computed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(computed, tmp_path / "workspace"))


def test_the_record_has_what_the_network_says_of_held_out_photos(computed: Path) -> None:
    workspace = Workspace(computed)
    found = load_references(workspace)
    assert found is not None
    features = run_steps(workspace.networks.compute_features())
    held_out = {photo.image_id: photo for photo in workspace.held_out}
    assert sorted(found.image_ids.tolist()) == sorted(held_out)
    rows = features.get_rows(found.image_ids.tolist())
    np.testing.assert_allclose(found.logits, features.logits[rows], rtol=1e-3, atol=1e-3)
    assert found.labels.tolist() == [held_out[i].category_index for i in found.image_ids.tolist()]


def test_identical_photos_have_one_id(own: Path) -> None:
    workspace = Workspace(own)
    first, second = sorted(photo.image_id for photo in workspace.held_out[:2])
    workspace.replace_settings(replace(workspace.settings, identical=((first, second),)))
    features = run_steps(workspace.networks.compute_features())
    found = run_steps(compute_references(workspace, features)).image_ids.tolist()
    assert (found.count(first), found.count(second)) == (2, 0)


def test_resemblance_is_measured_on_the_last_map(computed: Path) -> None:
    workspace = Workspace(computed)
    found = load_references(workspace)
    assert found is not None
    networks, dataset = workspace.networks, workspace.dataset

    def pool(image_id: int) -> np.ndarray:
        image = networks.prepare_image(load_photo(dataset.get_photo(image_id)))
        return networks.compute_pooled(image[np.newaxis])[0]

    held_out = set(found.image_ids.tolist())
    known = [photo.image_id for photo in dataset.photos if photo.image_id not in held_out]
    labels = [dataset.get_photo(image_id).category_index for image_id in known]
    means = compute_means([pool(i) for i in known], labels, len(dataset.categories))
    np.testing.assert_allclose(found.means, means, atol=1e-3)
    assert sorted(found.sampled.tolist()) == list(range(len(found.image_ids)))
    sampled = [pool(i) for i in found.image_ids[found.sampled].tolist()]
    np.testing.assert_allclose(found.resemblance, compute_resemblance(sampled, means), atol=2e-3)


def test_the_record_is_enough_without_photos_and_features(own: Path) -> None:
    shutil.rmtree(own / FEATURES_FOLDER)
    for photo in (own / "birds" / "images").rglob("*.jpg"):
        photo.write_bytes(b"no photo")
    assert isinstance(run_steps(load_or_compute_references(Workspace(own))), References)
    assert not (own / FEATURES_FOLDER).exists()


def test_a_record_of_another_network_or_split_is_not_used(own: Path) -> None:
    workspace = Workspace(own)
    keys = {compute_references_key(workspace)}
    for change in ({"classifier_sha256": "0" * 64}, {"held_out": "last:2"}):
        save_settings(own, replace(workspace.settings, **change))
        changed = Workspace(own)
        keys.add(compute_references_key(changed))
        assert load_references(changed) is None
    assert len(keys) == 3


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_a_damaged_record_is_computed_again(
    own: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = own / REFERENCES_FILE
    file.write_bytes(file.read_bytes()[:1000] if content is None else content)
    with caplog.at_level(logging.WARNING):
        assert load_references(Workspace(own)) is None
    assert "is damaged" in caplog.text
    assert "It is computed again" in caplog.text
    run_steps(load_or_compute_references(Workspace(own)))
    assert load_references(Workspace(own)) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.full(12, 12, np.int32)},
        {"sampled": np.full(12, 12, np.int32)},
        {"resemblance": np.full(12, np.nan, np.float32)},
        {"logits": np.zeros((12, 11), np.float16), "means": np.zeros((11, 256), np.float16)},
    ],
)
def test_impossible_numbers_are_not_used(own: Path, change: dict[str, np.ndarray]) -> None:
    workspace = Workspace(own)
    found = load_references(workspace)
    assert found is not None
    save_references(workspace, replace(found, **change))
    assert load_references(workspace) is None


def test_arrays_must_fit_each_other(computed: Path) -> None:
    found = load_references(Workspace(computed))
    assert found is not None
    for name in ("labels", "resemblance", "means"):
        with pytest.raises(ValueError, match="do not fit"):
            replace(found, **{name: getattr(found, name)[1:]})


def test_a_link_out_of_the_workspace_is_refused(own: Path, tmp_path: Path) -> None:
    file = own / REFERENCES_FILE
    file.rename(tmp_path / "elsewhere.safetensors")
    file.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(WorkspaceError, match="leads out of the workspace"):
        load_references(Workspace(own))


def test_a_public_server_keeps_the_record_in_memory(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / REFERENCES_FILE).unlink()
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    assert isinstance(run_steps(load_or_compute_references(Workspace(own))), References)
    assert not (own / REFERENCES_FILE).exists()
