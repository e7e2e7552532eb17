import os
from types import SimpleNamespace

import pytest
import torch
from switches import BACKENDS, use_products

from explorer.config import ExplorerError
from explorer.nn.devices import (
    choose_device,
    describe_device,
    get_device_key,
    get_free_memory,
    list_devices,
    resolve_device,
)


def test_cpu_is_always_available() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_chooses_an_available_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["", "banana", "cuda:99", "gpu"])
def test_unavailable_device_is_refused(name: str) -> None:
    with pytest.raises(ExplorerError, match="auto, cpu, cuda"):
        choose_device(name)


def test_tf32_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    choose_device("cpu")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_tf32_is_disabled_after_a_switch_for_everything() -> None:
    with use_products("tf32"):
        choose_device("cpu")
        assert BACKENDS.cudnn.conv.fp32_precision == "ieee"
        assert not torch.backends.cudnn.allow_tf32


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate two GPUs, of which the second does not respond."""

    def get_memory(device: torch.device) -> tuple[int, int]:
        if device.index == 1:
            raise RuntimeError("CUDA error: all devices are busy")
        return 71_300_000_000, 79_600_000_000

    uuids = ("9f1c", "77aa")
    properties = [SimpleNamespace(uuid=uuid) for uuid in uuids]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Card {index}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", get_memory)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: properties[device.index]
    )


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 16_000_000_000)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 4_000_000_000)


@pytest.mark.usefixtures("two_gpus", "apple")
def test_auto_prefers_cuda_then_mps_then_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(list_devices()) == ["cuda:0", "cuda:1", "mps", "cpu"]
    assert resolve_device("auto") == "cuda:0"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert resolve_device("auto") == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_described_with_its_free_memory() -> None:
    assert get_free_memory("cuda:0") == (71_300_000_000, 79_600_000_000)
    assert describe_device("cuda:0") == "Card 0, 71.3 of 79.6 GB free"
    assert describe_device("cuda:1") == "Card 1"


@pytest.mark.usefixtures("apple")
def test_free_memory_of_an_apple_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_device("mps") == "Apple GPU, 12.0 of 16.0 GB free"
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 17_000_000_000)
    assert get_free_memory("mps") == (0, 16_000_000_000)


def test_the_cpu_is_described_with_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert get_free_memory("cpu") is None
    assert describe_device("cpu") == "CPU, 12 cores"


@pytest.mark.usefixtures("two_gpus")
def test_the_key_of_a_gpu_does_not_depend_on_its_number() -> None:
    assert get_device_key("cuda:0") == "cuda-9f1c"
    assert get_device_key("cuda:1") == "cuda-77aa"
    assert get_device_key("cpu") == "cpu"
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(ExplorerError, match="auto, cpu, cuda"):
        resolve_device("banana")


@pytest.mark.usefixtures("two_gpus")
def test_cuda_is_the_first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.nn.devices.choose_device", torch.device)
    assert resolve_device("cuda") == "cuda:0"
    assert resolve_device("cuda:1") == "cuda:1"
