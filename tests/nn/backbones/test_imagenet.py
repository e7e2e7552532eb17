import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from bombs import Bomb

from explorer.config import ExplorerError
from explorer.data.fetching.transfer import RetryPolicy
from explorer.nn.backbones import imagenet
from explorer.nn.backbones.build import (
    add_fresh_layers,
    build_network,
    build_network_from_weights,
)
from explorer.nn.backbones.imagenet import (
    fetch_imagenet_weights,
    get_imagenet_file,
    get_imagenet_folder,
    load_imagenet_weights,
)

Run = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the user's cache by an empty one."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_the_file_name_contains_the_hash() -> None:
    file = get_imagenet_file("vgg19")
    assert file.url == "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
    assert (file.name, file.sha256) == ("vgg19-dcbb9e9d.pth", "dcbb9e9d")
    assert get_imagenet_file("vgg16").name == "vgg16-397923af.pth"


def test_the_folder_is_that_of_torchvision(cache: Path) -> None:
    assert get_imagenet_folder() == cache


def test_downloaded_weights_are_checked_and_loaded(
    cache: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    file = replace(get_imagenet_file("vgg19"), name="small.pth")
    torch.save({"classifier.6.bias": torch.arange(3.0)}, cache / "small.pth")
    right = hashlib.sha256((cache / "small.pth").read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(imagenet, "get_imagenet_file", lambda _: replace(file, sha256=right))
    assert run(fetch_imagenet_weights("vgg19")).already_existed
    assert load_imagenet_weights("vgg19")["classifier.6.bias"].tolist() == [0, 1, 2]
    monkeypatch.setattr(imagenet, "get_imagenet_file", lambda _: replace(file, sha256="0" * 8))
    with pytest.raises(ExplorerError, match="damaged, or another file"):
        run(fetch_imagenet_weights("vgg19"))


def test_the_weights_of_the_right_network_are_downloaded(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple] = []

    def download(*args: object) -> Iterator[None]:
        asked.append(args)
        yield

    monkeypatch.setattr(imagenet, "download", download)
    patience = RetryPolicy(attempts=2)
    run(fetch_imagenet_weights("vgg16", tmp_path, patience))
    assert asked == [(get_imagenet_file("vgg16"), tmp_path, patience)]


def test_damaged_weights_are_refused_and_code_never_runs(cache: Path, tmp_path: Path) -> None:
    cache.mkdir(parents=True)
    file = cache / get_imagenet_file("vgg16").name
    torch.save({"classifier.6.bias": Bomb(tmp_path / "executed")}, file)
    with pytest.raises(ExplorerError, match=rf"{file.name} holds more than tensors"):
        load_imagenet_weights("vgg16")
    assert not (tmp_path / "executed").exists()
    file.write_bytes(b"cut short")
    with pytest.raises(ExplorerError, match=f"{file.name} cannot be read"):
        load_imagenet_weights("vgg16")


def test_missing_weights_name_the_command_that_downloads_them() -> None:
    with pytest.raises(
        ExplorerError, match=r"not been downloaded.*python -m explorer fetch vgg16`"
    ):
        load_imagenet_weights("vgg16")


def test_vgg16_gap_starts_from_the_convolutions_of_vgg16(cache: Path) -> None:
    assert get_imagenet_file("vgg16_gap") == get_imagenet_file("vgg16")
    with pytest.raises(ExplorerError, match="`python -m explorer fetch vgg16`"):
        load_imagenet_weights("vgg16_gap")
    cache.mkdir(parents=True)
    weights = build_network("vgg16", 1000, batch_norm=False).state_dict()
    torch.save(weights, cache / get_imagenet_file("vgg16").name)
    found = load_imagenet_weights("vgg16_gap")
    assert len(found) == 26, "thirteen convolutions with their biases"
    assert all(tensor.equal(weights[name]) for name, tensor in found.items())
    grown, fresh = add_fresh_layers("vgg16_gap", found, 3)
    assert fresh == ("features.31", "classifier.1")
    build_network_from_weights("vgg16_gap", grown)


def test_vgg_small_has_no_imagenet_weights() -> None:
    with pytest.raises(ExplorerError, match="from scratch"):
        load_imagenet_weights("vgg_small")


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ExplorerError, match="'vit_b_16'"):
        get_imagenet_file("vit_b_16")
