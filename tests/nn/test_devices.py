import pytest
import torch

from explorer.config import ExplorerError
from explorer.nn.devices import choose_device


def test_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["", "banana", "cuda:99", "gpu"])
def test_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ExplorerError, match="auto, cpu, cuda"):
        choose_device(name)
