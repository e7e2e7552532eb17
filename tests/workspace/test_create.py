from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer.config import ExplorerError
from explorer.nn.backbones.build import build_network
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import WorkspaceError
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace


def test_new_workspace_without_weights_asks_for_fine_tuning(
    tmp_path: Path, painted_root: Path
) -> None:
    made = create_workspace(tmp_path / "new", WorkspaceSettings(str(painted_root)))
    opened = Workspace(tmp_path / "new")
    assert opened.settings == made.settings == WorkspaceSettings(str(painted_root))
    assert opened.list_modules() == ()
    assert opened.is_painted
    assert len(opened.held_out) == 12
    assert not any(photo.is_training for photo in opened.held_out)
    with pytest.raises(WorkspaceError, match=r"no classifier yet.*python -m explorer finetune"):
        opened.networks.backbone  # noqa: B018


@pytest.mark.parametrize("half", [False, True])
def test_new_workspace_imports_the_user_s_own_network(
    tmp_path: Path, painted_root: Path, half: bool
) -> None:
    network = build_network("vgg_small", 12, batch_norm=True).eval()
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    settings = WorkspaceSettings(str(painted_root), z_layer="fc7", held_out="last:2", half=half)
    create_workspace(tmp_path / "new", settings, tmp_path / "mine.pth")
    opened = Workspace(tmp_path / "new")
    assert opened.networks.backbone.z_layer == "fc7"
    assert opened.networks.classifier_report == {"imported_from": "mine.pth", "notes": []}
    assert len(opened.held_out) == 24
    images = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images)
    logits = opened.networks.backbone.compute_features(images)[1]
    torch.testing.assert_close(logits, expected, atol=2e-3 if half else 1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "resnet50"}, {"held_out": "some"}, {"held_out": "last:6"}, {"dataset": "no"}],
)
def test_invalid_settings_leave_no_files(
    tmp_path: Path, painted_root: Path, changes: dict[str, str]
) -> None:
    settings = replace(WorkspaceSettings(str(painted_root)), **changes)
    with pytest.raises(ExplorerError):
        create_workspace(tmp_path / "new", settings)
    assert not (tmp_path / "new" / "workspace.json").exists()


def test_unknown_layer_is_refused_before_hours_of_training(
    tmp_path: Path, painted_root: Path
) -> None:
    settings = WorkspaceSettings(str(painted_root), z_layer="fc9")
    with pytest.raises(ExplorerError, match="'fc9'"):
        create_workspace(tmp_path / "new", settings)


def test_weights_with_other_outputs_are_refused(tmp_path: Path, painted_root: Path) -> None:
    torch.save(build_network("vgg_small", 5, batch_norm=False).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ExplorerError, match="5 outputs, but there are 12 categories"):
        create_workspace(tmp_path / "new", WorkspaceSettings(str(painted_root)), tmp_path / "a.pth")
    assert not (tmp_path / "new").exists()


def test_a_workspace_is_never_overwritten(own_workspace: Path) -> None:
    before = (own_workspace / "workspace.json").read_bytes()
    with pytest.raises(WorkspaceError, match="is already a workspace"):
        create_workspace(own_workspace, WorkspaceSettings("birds"))
    assert (own_workspace / "workspace.json").read_bytes() == before
