import math

import pytest
import torch
from torch import nn

from explorer.config import ExplorerError
from explorer.nn.backbones.build import build_network
from explorer.training.classifier.precision import PRECISIONS, Precision

CPU = torch.device("cpu")
NAMES = [name for name in PRECISIONS if name != "auto"]


@pytest.fixture
def layer() -> nn.Linear:
    layer = nn.Linear(3, 2, bias=False)
    nn.init.constant_(layer.weight, 0.1)
    return layer


def take_step(precision: Precision, layer: nn.Linear, factor: float = 1.0) -> bool:
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.5)
    with precision.autocast():
        output = layer(torch.tensor([[1.0, 2.0, 4.0]]))
    return precision.step(output.float().sum() * factor, optimiser)


@pytest.mark.parametrize("name", NAMES)
def test_steps_differ_only_by_rounding(layer: nn.Linear, name: str) -> None:
    assert take_step(Precision(name, CPU), layer, factor=0.1)
    expected = torch.tensor([[0.05, 0.0, -0.1]] * 2)
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-2, atol=1e-3)
    assert layer.weight.dtype == torch.float32
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("full", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
def test_layers_compute_in_the_requested_precision(
    layer: nn.Linear, name: str, dtype: torch.dtype
) -> None:
    with Precision(name, CPU).autocast():
        assert layer(torch.ones(1, 3)).dtype == dtype


def test_small_gradients_survive_float16(layer: nn.Linear) -> None:
    """A gradient of 1e-8 is zero in float16 unless the loss is scaled."""
    half = layer.weight.detach().half()
    assert (half * 1e-8 == 0).all(), "lost without scaling"
    assert take_step(Precision("float16", CPU), layer, factor=1e-8)
    assert layer.weight.grad[0, 2] == pytest.approx(4e-8, rel=1e-2)


def test_an_overflowing_step_is_skipped_and_the_scale_reduced(layer: nn.Linear) -> None:
    precision = Precision("float16", CPU)
    scale = precision.scaler.get_scale()
    assert not take_step(precision, layer, factor=1e4)
    assert torch.equal(layer.weight.detach(), torch.full((2, 3), 0.1))
    assert precision.scaler.get_scale() == scale / 2
    while not take_step(precision, layer, factor=1e4):
        pass
    assert torch.isfinite(layer.weight).all()
    assert layer.weight[0, 0] < 0


@pytest.mark.parametrize(
    ("features", "name"),
    [((False, False), "full"), ((True, False), "bfloat16"), ((False, True), "bfloat16")],
)
def test_a_processor_that_computes_in_bfloat16_gets_it(
    monkeypatch: pytest.MonkeyPatch, features: tuple[bool, bool], name: str
) -> None:
    has_avx512, has_amx = features
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    assert Precision("auto", CPU).name == name
    assert Precision("auto", torch.device("meta")).name == "full"


@pytest.mark.parametrize("name", NAMES)
def test_arranging_changes_memory_but_not_results(name: str) -> None:
    precision = Precision(name, CPU)
    network = build_network("vgg_small", 4, batch_norm=False).eval()
    images = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images)
        found = precision.arrange(network)(precision.arrange_images(images))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    is_reduced = name != "full"
    assert images.is_contiguous()
    assert precision.arrange_images(images).is_contiguous() != is_reduced
    assert precision.arrange_images(images.flatten(1)).ndim == 2


@pytest.mark.parametrize(("has_bfloat16", "name"), [(True, "bfloat16"), (False, "float16")])
def test_a_gpu_gets_a_precision_it_supports(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, name: str
) -> None:
    asked = []

    def answer(*, including_emulation: bool) -> bool:
        asked.append(including_emulation)
        return has_bfloat16

    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.no_grad())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", answer)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, *, enabled: (device, enabled))
    chosen = Precision("auto", torch.device("cuda"))
    assert chosen.name == name
    assert chosen.scaler == ("cuda", name == "float16")
    assert asked == [False]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ExplorerError, match=r"'double'.*auto, full, bfloat16, float16"):
        Precision("double", CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["auto", "bfloat16", "float16"])
def test_mixed_precision_trains_on_a_gpu(name: str) -> None:
    device = torch.device("cuda")
    with torch.random.fork_rng(devices=[device]):
        torch.manual_seed(0)
        network = build_network("vgg_small", 4, batch_norm=True).to(device).train()
        images = torch.randn(8, 3, 128, 128, device=device)
        labels = torch.arange(8, device=device) % 4
        precision = Precision(name, device)
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        losses = []
        for _ in range(40):
            with precision.autocast():
                loss = nn.functional.cross_entropy(network(images).float(), labels)
            precision.step(loss, optimiser)
            losses.append(float(loss.detach()))
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < 0.5 * losses[0]
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
