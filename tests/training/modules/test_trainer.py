from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from switches import SWITCHES
from torch import Tensor

from explorer.config import ExplorerError, Progress
from explorer.methods.base import TrainedMethod
from explorer.methods.nn import NnSettings
from explorer.methods.registry import list_trained
from explorer.methods.sae import SaeSettings
from explorer.methods.srae import SraeSettings
from explorer.nn.losses import ModuleSettings
from explorer.nn.srae import ExplanationModule
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import train_group

Run = Callable[[Any], Any]
SHAPE: dict[str, Any] = {"widths": (16,), "x_features": 3}
MODULE = SraeSettings(**SHAPE)
SHORT = TrainingSettings(epochs=3, pretrain_epochs=2, batch_size=16)


@dataclass(frozen=True, eq=False)
class TrainingData:
    z: Tensor
    y_hat: Tensor
    is_positive: Tensor


def train_module(
    train: TrainingData, test: TrainingData, module: ModuleSettings, settings: TrainingSettings
) -> Generator[Progress, None, ExplanationModule]:
    """Train a group of one on the photos of `train`, testing on those of `test`."""
    rows = torch.arange(len(train.z) + len(test.z)).split([len(train.z), len(test.z)])
    photos = CategoryPhotos(
        torch.cat([train.y_hat, test.y_hat]),
        torch.cat([train.is_positive, test.is_positive]),
        *rows,
        validation=rows[0][:0],
    )
    z = torch.cat([train.z, test.z])
    (outcome,) = yield from train_group(z, [photos], module, settings)
    if isinstance(outcome, ExplorerError):
        raise outcome
    return outcome


def compute_f_reg(module: ExplanationModule, data: TrainingData) -> float:
    return float((module(data.z).y_bar - data.y_hat).abs().mean())


def make_data(count: int, seed: int, z_size: int = 24) -> TrainingData:
    """Return a sparse non-negative Z, and ŷ linear in its first three dimensions."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, z_size, generator=generator).relu()
    y_hat = 3 * z[:, 0] + 2 * z[:, 1] - 2 * z[:, 2]
    return TrainingData(z, y_hat, y_hat > y_hat.quantile(0.9))


@pytest.fixture(scope="module")
def train() -> TrainingData:
    return make_data(100, 1)


@pytest.fixture(scope="module")
def test() -> TrainingData:
    return make_data(40, 2)


def equal(one: ExplanationModule, other: ExplanationModule, part: str = "") -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (name, a), b in pairs if name.startswith(part))


@pytest.mark.parametrize("method", list_trained(), ids=lambda method: method.name)
def test_same_seed_gives_the_same_bytes(
    train: TrainingData, test: TrainingData, run: Run, method: TrainedMethod
) -> None:
    settings = replace(method.settings, **SHAPE)
    torch.manual_seed(1)
    one = run(train_module(train, test, settings, SHORT))
    torch.manual_seed(2)
    same = run(train_module(train, test, settings, SHORT))
    other = run(train_module(train, test, settings, replace(SHORT, seed=1)))
    assert equal(one, same)
    assert not equal(one, other)


def test_global_random_states_are_unchanged(train: TrainingData, test: TrainingData) -> None:
    torch.manual_seed(5)
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    for _ in train_module(train, test, MODULE, SHORT):
        assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


@pytest.fixture(scope="module")
def learned() -> tuple[ExplanationModule, list[Progress], TrainingData]:
    """Return a fully trained module, its progress, and photos not used for training."""
    train, test = make_data(600, 1), make_data(300, 2)
    steps = train_module(
        train,
        test,
        SraeSettings(widths=(32, 20), beta=0.1),
        TrainingSettings(epochs=60, pretrain_epochs=5, batch_size=32, learning_rate=3e-3),
    )
    progress: list[Progress] = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as stop:
            return stop.value, progress, test


def test_a_linear_score_is_learned_and_generalises(
    learned: tuple[ExplanationModule, list[Progress], TrainingData],
) -> None:
    module, _, test = learned
    assert compute_f_reg(module, test) < 0.05 * float(test.y_hat.max() - test.y_hat.min())


def test_x_features_stay_alive(
    learned: tuple[ExplanationModule, list[Progress], TrainingData],
) -> None:
    module, _, test = learned
    share = (module(test.z).x_features > 0).float().mean(dim=0)
    assert (share > 0.05).sum() >= 3, share


def test_progress_increases_steadily_to_its_total(
    learned: tuple[ExplanationModule, list[Progress], TrainingData],
) -> None:
    module, progress, test = learned
    assert [step.done for step in progress] == list(range(1, 3 * 5 + 60 + 1))
    assert {step.total for step in progress} == {3 * 5 + 60}
    joint = [step.values for step in progress if step.stage == "Training"]
    assert len(joint) == 60
    assert joint[-1]["total"] < joint[0]["total"]
    for values in joint:
        parts = values["faithfulness"] + values["reconstruction"]
        assert values["total"] == pytest.approx(parts, rel=1e-4)
    assert joint[-1]["f_reg_test"] == pytest.approx(compute_f_reg(module, test), rel=1e-5)


@pytest.mark.parametrize("method", list_trained(), ids=lambda method: method.name)
def test_the_loss_terms_are_reported_and_add_up(
    train: TrainingData, test: TrainingData, method: TrainedMethod
) -> None:
    settings = replace(method.settings, **SHAPE)
    module = ExplanationModule(24, settings)
    terms = settings.compute_terms(module, train.z, train.y_hat).keys()
    for step in list(train_module(train, test, settings, SHORT))[-SHORT.epochs :]:
        assert step.values.keys() == {"total", *terms, "f_reg_train", "f_reg_test"}
        parts = sum(step.values[name] for name in terms)
        assert step.values["total"] == pytest.approx(parts, rel=1e-4)


def test_the_result_is_frozen_and_in_evaluation_mode(
    learned: tuple[ExplanationModule, list[Progress], TrainingData],
) -> None:
    module, _, _ = learned
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert all(parameter.isfinite().all() for parameter in module.parameters())


def test_test_photos_do_not_influence_training(train: TrainingData, run: Run) -> None:
    first = run(train_module(train, make_data(40, 2), MODULE, SHORT))
    second = run(train_module(train, make_data(7, 9), MODULE, SHORT))
    assert equal(first, second)


def test_shared_arrays_are_not_changed(train: TrainingData, run: Run) -> None:
    rows = torch.arange(100).split([80, 20])
    photos = CategoryPhotos(train.y_hat.clone(), train.is_positive, *rows, rows[0][:0])
    z = train.z.clone()
    run(train_group(z, [photos, photos], MODULE, SHORT))
    assert torch.equal(z, train.z)
    assert torch.equal(photos.y_hat, train.y_hat)


def test_sae_learns_its_encoder_without_the_score(
    train: TrainingData, test: TrainingData, run: Run
) -> None:
    settings = SaeSettings(**SHAPE)
    other = replace(train, y_hat=train.y_hat.flip(0))
    one, two = (run(train_module(data, test, settings, SHORT)) for data in (train, other))
    assert equal(one, two, "encoder")
    assert equal(one, two, "decoder")
    assert not equal(one, two, "v")


def test_v_of_sae_is_the_least_squares_fit(
    train: TrainingData, test: TrainingData, run: Run
) -> None:
    steps = list(train_module(train, test, SaeSettings(**SHAPE), SHORT))
    assert [step.stage for step in steps[-3:]] == 3 * ["Training the autoencoder"]
    assert steps[-1].done == steps[-1].total == 2 * 2 + 3
    module = run(train_module(train, test, SaeSettings(**SHAPE), SHORT))
    outputs = module(train.z)
    # The residual of a least-squares fit is orthogonal to every x-feature.
    residual = (outputs.y_bar - train.y_hat).double()
    slopes = outputs.x_features.double().T @ residual
    scale = outputs.x_features.double().norm(dim=0) * train.y_hat.double().norm()
    assert (slopes.abs() <= 1e-5 * scale + 1e-9).all()


def test_nn_does_not_change_its_decoder(train: TrainingData, test: TrainingData, run: Run) -> None:
    settings, short = NnSettings(**SHAPE), replace(SHORT, pretrain_epochs=0)
    trained = run(train_module(train, test, settings, short))
    start = ExplanationModule(24, settings, torch.Generator().manual_seed(0))
    assert equal(trained, start, "decoder")
    assert not equal(trained, start, "encoder")
    srae = run(train_module(train, test, MODULE, short))
    assert not equal(srae, start, "decoder")


def test_pretraining_can_be_skipped(train: TrainingData, test: TrainingData, run: Run) -> None:
    steps = list(train_module(train, test, MODULE, replace(SHORT, pretrain_epochs=0)))
    assert [(step.stage, step.done, step.total) for step in steps] == [
        ("Training", n, 3) for n in (1, 2, 3)
    ]


def test_the_reconstruction_improves_during_pretraining(
    train: TrainingData, test: TrainingData
) -> None:
    steps = list(train_module(train, test, MODULE, replace(SHORT, pretrain_epochs=8, epochs=1)))
    errors = [step.values["reconstruction"] for step in steps[:8]]
    assert errors[-1] < errors[0]
    assert {step.stage for step in steps[:16]} == {"Pretraining layer by layer"}


@pytest.mark.parametrize("batch_size", [1, 7, 100, 1000])
def test_any_batch_size_works(
    train: TrainingData, test: TrainingData, run: Run, batch_size: int
) -> None:
    module = run(train_module(train, test, MODULE, replace(SHORT, epochs=1, batch_size=batch_size)))
    assert np.isfinite(compute_f_reg(module, test))


@pytest.mark.parametrize("positives", [0, 100])
def test_photos_can_be_all_positive_or_all_negative(
    train: TrainingData, test: TrainingData, run: Run, positives: int
) -> None:
    data = replace(train, is_positive=torch.arange(100) < positives)
    assert np.isfinite(compute_f_reg(run(train_module(data, test, MODULE, SHORT)), test))


def test_training_on_zeros_stays_finite(test: TrainingData, run: Run) -> None:
    blank = TrainingData(torch.zeros(20, 24), torch.zeros(20), torch.arange(20) < 3)
    assert np.isfinite(compute_f_reg(run(train_module(blank, test, MODULE, SHORT)), test))


def exceed(settings: TrainingSettings, learning_rate: float) -> TrainingSettings:
    """Set a learning rate above the allowed range, so that training diverges."""
    object.__setattr__(settings, "learning_rate", learning_rate)
    return settings


@pytest.mark.parametrize("pretrain_epochs", [0, 2])
@pytest.mark.parametrize("learning_rate", [1e10, 1e30])
def test_diverging_training_ends_with_advice(
    train: TrainingData, test: TrainingData, run: Run, learning_rate: float, pretrain_epochs: int
) -> None:
    settings = TrainingSettings(epochs=4, pretrain_epochs=pretrain_epochs, batch_size=16)
    exceed(settings, learning_rate)
    with pytest.raises(ExplorerError, match=r"no longer finite.*Lower the learning rate"):
        run(train_module(train, test, MODULE, settings))


def test_a_module_that_diverges_in_the_last_step_is_not_returned(
    train: TrainingData, test: TrainingData, run: Run
) -> None:
    settings = exceed(TrainingSettings(epochs=1, pretrain_epochs=0, batch_size=100), 1e30)
    with pytest.raises(ExplorerError, match="no longer finite"):
        run(train_module(train, test, MODULE, settings))


@pytest.mark.parametrize("name", SWITCHES)
def test_the_same_weights_however_pytorch_is_set(run: Run, name: str) -> None:
    train, test = make_data(48, 0), make_data(24, 1)
    expected = run(train_module(train, test, MODULE, SHORT)).state_dict()
    with SWITCHES[name]():
        found = run(train_module(train, test, MODULE, SHORT)).state_dict()
    for key, weights in expected.items():
        assert found[key].dtype == torch.float32
        assert torch.equal(found[key], weights), key
