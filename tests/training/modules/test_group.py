"""Modules trained together equal those trained one by one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.analysis.agreement import compute_correlations, match_x_features
from explorer.analysis.concepts import compute_effective_number
from explorer.config import ExplorerError, Progress
from explorer.methods.registry import list_trained
from explorer.methods.sae import SaeSettings
from explorer.methods.srae import SraeSettings
from explorer.methods.srae_concepts import SraeConceptsSettings
from explorer.nn.losses import ModuleSettings
from explorer.nn.srae import ExplanationModule
from explorer.training.modules import trainer
from explorer.training.modules.evidence import (
    compute_slopes,
    factorise_evidence,
    separate_evidence,
)
from explorer.training.modules.initialisation import (
    centre_biases,
    fit_v,
    initialise_v,
    revive_x_features,
)
from explorer.training.modules.rows import CategoryPhotos, OwnPhotos, hold_out_validation
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import Outcome, count_epochs, train_group

Run = Callable[[Any], Any]
SHAPE: dict[str, Any] = {"widths": (16, 8), "x_features": 3}
METHODS = [replace(method.settings, **SHAPE) for method in list_trained()]
PLAIN = [settings for settings in METHODS if not settings.least_positive_share]
MODULE = SraeSettings(**SHAPE)
CONCEPTS = SraeConceptsSettings(**SHAPE)
SHORT = TrainingSettings(epochs=6, pretrain_epochs=2, batch_size=32)
PHOTOS, Z_SIZE = 240, 24


@pytest.fixture(scope="module")
def z() -> Tensor:
    return torch.randn(PHOTOS, Z_SIZE, generator=torch.Generator().manual_seed(0)).relu()


@pytest.fixture(scope="module")
def members(z: Tensor) -> list[CategoryPhotos]:
    """Return photos of four categories with different scores and rows; seven batches each."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for count in (200, 197, 200, 210):
        y_hat = z @ torch.randn(Z_SIZE, generator=generator)
        order = torch.randperm(PHOTOS, generator=generator)
        test = order[count : count + 20 + count % 3]
        is_positive = y_hat > y_hat.quantile(0.9)
        found.append(CategoryPhotos(y_hat, is_positive, order[:count], test, order[:0]))
    return found


@pytest.fixture(scope="module")
def guided(z: Tensor, members: list[CategoryPhotos]) -> list[CategoryPhotos]:
    """Return the members with photos that guide the loss, of different numbers."""
    generator = torch.Generator().manual_seed(2)
    found = []
    for photos, count in zip(members, (9, 5, 9, 12), strict=True):
        rows = photos.train[photos.train_positives][:count]
        z_maps = torch.rand(len(rows), Z_SIZE, 9, generator=generator) ** 4
        own, *scores = (each[photos.train] for each in (z, photos.y_hat, photos.is_positive))
        evidence = factorise_evidence(compute_slopes(own, *scores), z[rows], z_maps, 3)
        signals = separate_evidence(evidence, own)
        found.append(replace(photos, own=OwnPhotos(rows, z_maps, evidence, signals)))
    return found


def train(
    z: Tensor, members: Sequence[CategoryPhotos], module: ModuleSettings, settings: TrainingSettings
) -> tuple[tuple[Outcome, ...], list[Progress]]:
    steps, progress = train_group(z, members, module, settings), []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as stop:
            return stop.value, progress


def name_method(settings: object) -> str | None:
    if not isinstance(settings, ModuleSettings):
        return None
    return f"{settings.method}-pull-away" if getattr(settings, "pull_away", 0) else settings.method


def check_equal(one: Outcome, other: Outcome, tolerance: float = 1e-5) -> None:
    assert isinstance(one, ExplanationModule)
    assert isinstance(other, ExplanationModule)
    for (name, found), expected in zip(
        one.state_dict().items(), other.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(
            found, expected, rtol=tolerance, atol=tolerance, msg=lambda m, name=name: f"{name}: {m}"
        )


def train_plainly(
    z: Tensor, photos: CategoryPhotos, settings: ModuleSettings, training: TrainingSettings
) -> ExplanationModule:
    """Train one module with a plain loop, as an independent reference."""
    generator = torch.Generator().manual_seed(training.seed)
    module = ExplanationModule(z.shape[1], settings, generator)
    z, y_hat, is_positive = (each[photos.train] for each in (z, photos.y_hat, photos.is_positive))

    def fit(
        parameters: list[nn.Parameter], compute: Callable[[Tensor], Tensor], epochs: int
    ) -> Iterator[None]:
        optimiser = torch.optim.Adam(
            parameters, lr=training.learning_rate, weight_decay=training.weight_decay, fused=False
        )
        steps = epochs * len(torch.arange(len(z)).split(training.batch_size))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(epochs):
            order = torch.randperm(len(z), generator=generator)
            for rows in order.split(training.batch_size):
                optimiser.zero_grad()
                compute(rows).backward()
                optimiser.step()
                schedule.step()
            yield

    encoder = [layer for layer in module.encoder if isinstance(layer, nn.Linear)]
    decoder = [layer for layer in module.decoder if isinstance(layer, nn.Linear)]
    inputs = z
    for encode, decode in zip(encoder, reversed(decoder), strict=True):
        centre_biases(encode.bias, encode(inputs))

        def rebuild(
            rows: Tensor,
            encode: nn.Linear = encode,
            decode: nn.Linear = decode,
            inputs: Tensor = inputs,
        ) -> Tensor:
            own = inputs[rows]
            return (decode(encode(own).relu()).relu() - own).square().mean()

        own = [*encode.parameters(), *decode.parameters()]
        list(fit(own, rebuild, training.pretrain_epochs))
        inputs = encode(inputs).relu().detach()
    initialise_v(module.v, inputs, y_hat, is_positive)
    if not settings.trains_v:
        own = [*module.encoder.parameters(), *module.decoder.parameters()]
        list(fit(own, lambda rows: (module(z[rows])[2] - z[rows]).square().mean(), training.epochs))
        fit_v(module.v.weight.detach()[0], module(z).x_features.detach(), y_hat)
        return module

    def total(rows: Tensor) -> Tensor:
        terms = settings.compute_terms(module, z[rows], y_hat[rows])
        return torch.stack(list(terms.values())).sum()

    for epoch, _ in enumerate(fit(list(module.parameters()), total, training.epochs), start=1):
        if epoch < training.epochs // 2:
            revive_x_features(module, z, y_hat)
    return module


@pytest.mark.parametrize("settings", PLAIN, ids=name_method)
def test_group_training_equals_a_plain_training_loop(
    z: Tensor, members: list[CategoryPhotos], settings: ModuleSettings
) -> None:
    together, _ = train(z, members, settings, SHORT)
    for photos, found in zip(members, together, strict=True):
        check_equal(found, train_plainly(z, photos, settings, SHORT), 1e-3)


@pytest.mark.parametrize("settings", METHODS, ids=name_method)
@pytest.mark.parametrize("pretrain_epochs", [0, 2])
def test_group_training_equals_training_alone(
    z: Tensor, members: list[CategoryPhotos], settings: ModuleSettings, pretrain_epochs: int
) -> None:
    training = replace(SHORT, pretrain_epochs=pretrain_epochs)
    together, progress = train(z, members, settings, training)
    alone = [train(z, [photos], settings, training) for photos in members]
    for found, ((own,), _) in zip(together, alone, strict=True):
        check_equal(found, own)
    assert len(progress) == count_epochs(settings, training)
    for index, step in enumerate(progress):
        theirs = [records[index] for _, records in alone]
        assert {(own.stage, own.done, own.total) for own in theirs} == {
            (step.stage, step.done, step.total)
        }
        for name, value in step.values.items():
            mean = sum(own.values[name] for own in theirs) / len(members)
            assert value == pytest.approx(mean, rel=1e-4, abs=1e-6), name


def test_guided_training_in_a_group_equals_training_alone(
    z: Tensor, guided: list[CategoryPhotos]
) -> None:
    together, progress = train(z, guided, CONCEPTS, SHORT)
    for photos, found in zip(guided, together, strict=True):
        check_equal(found, train(z, [photos], CONCEPTS, SHORT)[0][0], 1e-4)
    terms = {"evenness", "cancellation", "agreement", "map_agreement", "map_pull_away"}
    assert terms < progress[-1].values.keys()
    again, _ = train(z, guided, CONCEPTS, SHORT)
    for one, other in zip(together, again, strict=True):
        check_equal(one, other, 0)


def test_a_guide_makes_x_features_share_the_score_and_seeds_agree(z: Tensor) -> None:
    # Three concepts of equal weight, of three dimensions each, which come from places of their own.
    y_hat = z[:, :9].sum(dim=1)
    is_positive, rows = y_hat > y_hat.quantile(0.9), torch.arange(PHOTOS)
    z_maps = torch.zeros(1, Z_SIZE, 4)
    z_maps[0, range(9), torch.arange(9) // 3] = 1
    z_maps[0, 9:, 3] = 1
    own = rows[is_positive][:12]
    z_maps = z_maps.expand(len(own), -1, -1)
    evidence = factorise_evidence(compute_slopes(z, y_hat, is_positive), z[own], z_maps, 3)
    guide = OwnPhotos(own, z_maps, evidence, separate_evidence(evidence, z))
    photos = CategoryPhotos(y_hat, is_positive, rows, rows[:9], rows[:0], guide)

    def learn(seed: int) -> ExplanationModule:
        module = replace(CONCEPTS, agreement=20.0)
        (found,), _ = train(z, [photos], module, replace(SHORT, epochs=40, seed=seed))
        assert isinstance(found, ExplanationModule)
        return found

    one, other = learn(0), learn(1)
    contributions = one.compute_contributions(one.encoder(z[own])).numpy()
    assert (compute_effective_number(contributions) or 0) > 2.6
    found = compute_correlations(one.encoder(z).numpy(), other.encoder(z).numpy())
    assert (match_x_features(found).mean or 0) > 0.75
    sums = torch.stack([z[:, :3].sum(1), z[:, 3:6].sum(1), z[:, 6:9].sum(1)], dim=1)
    truth = compute_correlations(one.encoder(z).numpy(), sums.numpy())
    assert (match_x_features(truth).mean or 0) > 0.65, "their sum has 1/√3 with each"


@pytest.mark.parametrize("widths", [(4, 4), (3,)])
def test_x_features_of_narrow_modules_start_as_their_concepts(
    z: Tensor, guided: list[CategoryPhotos], widths: tuple[int, ...]
) -> None:
    still = replace(SHORT, epochs=1, pretrain_epochs=1, learning_rate=1e-9)
    outcomes, _ = train(z, guided, replace(CONCEPTS, widths=widths), still)
    for module, photos in zip(outcomes, guided, strict=True):
        assert isinstance(module, ExplanationModule)
        assert photos.own is not None
        own = z[photos.train]
        x_features, signals = module.encoder(own), own @ photos.own.signals
        targets = (signals - signals.quantile(0.25, dim=0)).clamp(min=0)
        for n in range(3):
            pair = torch.stack([x_features[:, n], targets[:, n]])
            assert torch.corrcoef(pair)[0, 1] > 0.97
            assert 0.05 < (x_features[:, n] == 0).float().mean() < 0.4


def test_guiding_photos_leave_with_their_member(z: Tensor, guided: list[CategoryPhotos]) -> None:
    spoilt = replace(guided[1], y_hat=1e30 * guided[1].y_hat)
    outcomes, _ = train(z, [guided[0], spoilt, guided[2]], CONCEPTS, SHORT)
    assert isinstance(outcomes[1], ExplorerError)
    for place in (0, 2):
        check_equal(outcomes[place], train(z, [guided[place]], CONCEPTS, SHORT)[0][0], 1e-4)


def test_x_features_are_revived_in_a_group_as_in_training_alone(
    z: Tensor, members: list[CategoryPhotos], monkeypatch: pytest.MonkeyPatch
) -> None:
    revived = []

    def revive(*arguments: Any) -> int:
        revived.append(revive_x_features(*arguments))
        return revived[-1]

    monkeypatch.setattr(trainer, "revive_x_features", revive)
    # Without pretraining and at this rate x-features die.
    settings = replace(SHORT, pretrain_epochs=0, learning_rate=0.1, seed=3)
    together, _ = train(z, members, MODULE, settings)
    in_group = revived.copy()
    revived.clear()
    alone = [train(z, [photos], MODULE, settings)[0][0] for photos in members]
    assert sum(in_group) == sum(revived) > 0
    for found, own in zip(together, alone, strict=True):
        check_equal(found, own, 1e-3)


def test_x_features_are_revived_only_in_the_first_half(
    z: Tensor, members: list[CategoryPhotos], monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch, asked = 1, []
    monkeypatch.setattr(trainer, "revive_x_features", lambda *_: asked.append(epoch))
    settings = replace(SHORT, epochs=10, pretrain_epochs=0, learning_rate=0.1, seed=3)
    for step in train_group(z, members, MODULE, settings):
        epoch = step.done + 1
    assert max(asked) == 4, "x-features that stay dead are retried in every epoch"


def test_the_order_of_members_does_not_matter(z: Tensor, members: list[CategoryPhotos]) -> None:
    forwards, _ = train(z, members, MODULE, SHORT)
    backwards, _ = train(z, members[::-1], MODULE, SHORT)
    for one, other in zip(forwards, reversed(backwards), strict=True):
        check_equal(one, other)


def test_the_same_group_gives_the_same_bytes(z: Tensor, members: list[CategoryPhotos]) -> None:
    settings = replace(SHORT, patience=2)
    held = [hold_out_validation(photos, np.arange(PHOTOS), 0) for photos in members[::2]]
    torch.manual_seed(1)
    one, progress = train(z, held, MODULE, settings)
    torch.manual_seed(2)
    two, again = train(z, held, MODULE, settings)
    assert progress == again
    for first, second in zip(one, two, strict=True):
        check_equal(first, second, 0)


@pytest.mark.parametrize("settings", [SraeSettings(**SHAPE), SaeSettings(**SHAPE)], ids=name_method)
def test_a_diverging_member_does_not_affect_the_others(
    z: Tensor, members: list[CategoryPhotos], settings: ModuleSettings
) -> None:
    # The squares of these scores overflow in single precision. SAE does not learn from the score,
    # so it gets a Z that overflows.
    bad = replace(members[1], y_hat=torch.full_like(members[1].y_hat, 1e30))
    if isinstance(settings, SaeSettings):
        z = torch.cat([z, torch.full((1, Z_SIZE), 1e38)])
        bad = replace(members[1], train=torch.cat([members[1].train[:-1], torch.tensor([PHOTOS])]))
        fill = [torch.cat([each, each[:1]]) for each in (bad.y_hat, bad.is_positive)]
        bad = replace(bad, y_hat=fill[0], is_positive=fill[1])
    outcomes, progress = train(z, [members[0], bad, members[2]], settings, SHORT)
    assert isinstance(outcomes[1], ExplorerError)
    assert "no longer finite" in str(outcomes[1])
    for index in (0, 2):
        check_equal(outcomes[index], train(z, [members[index]], settings, SHORT)[0][0])
    joint = [step for step in progress if step.stage.startswith("Training")]
    assert len(joint) == SHORT.epochs
    assert all(torch.tensor(list(step.values.values())).isfinite().all() for step in joint)


@pytest.fixture(scope="module")
def held(members: list[CategoryPhotos]) -> list[CategoryPhotos]:
    return [hold_out_validation(photos, np.arange(PHOTOS), 0) for photos in members]


PATIENT = TrainingSettings(
    epochs=40, pretrain_epochs=2, batch_size=32, patience=2, learning_rate=0.005
)


@pytest.mark.parametrize("settings", METHODS, ids=name_method)
def test_members_stop_in_a_group_as_in_training_alone(
    z: Tensor, held: list[CategoryPhotos], settings: ModuleSettings
) -> None:
    together, progress = train(z, held, settings, PATIENT)
    alone = [train(z, [photos], settings, PATIENT) for photos in held]
    for found, ((own,), _) in zip(together, alone, strict=True):
        check_equal(found, own, 1e-3)
    lengths = [len(records) for _, records in alone]
    assert len(set(lengths)) > 1, "they stop at different epochs"
    assert len(progress) == max(lengths)
    assert progress[-1].done == progress[-1].total


def compute_validation_loss(module: Outcome, z: Tensor, photos: CategoryPhotos) -> float:
    assert isinstance(module, ExplanationModule)
    own, y_hat = z[photos.validation], photos.y_hat[photos.validation]
    return float(sum(MODULE.compute_terms(module, own, y_hat).values()))


def test_the_best_epoch_on_validation_photos_is_kept(z: Tensor, held: list[CategoryPhotos]) -> None:
    (module,), progress = train(z, held[:1], MODULE, PATIENT)
    losses = [step.values["validation"] for step in progress if step.stage == "Training"]
    best = losses.index(min(losses))
    assert best == len(losses) - 1 - PATIENT.patience
    assert compute_validation_loss(module, z, held[0]) == pytest.approx(losses[best], rel=1e-5)
    (last,), _ = train(z, [replace(held[0])], MODULE, replace(PATIENT, patience=0))
    assert compute_validation_loss(last, z, held[0]) != pytest.approx(losses[best], rel=1e-5)


def test_the_best_epoch_is_kept_even_if_patience_never_runs_out(
    z: Tensor, held: list[CategoryPhotos]
) -> None:
    (module,), progress = train(z, held[:1], MODULE, replace(PATIENT, patience=1000))
    losses = [step.values["validation"] for step in progress if step.stage == "Training"]
    assert len(losses) == PATIENT.epochs
    assert compute_validation_loss(module, z, held[0]) == pytest.approx(min(losses), rel=1e-5)


def test_test_photos_do_not_influence_early_stopping(z: Tensor, held: list[CategoryPhotos]) -> None:
    others = [replace(photos, test=photos.test.flip(0)[:5]) for photos in held]
    one, two = (train(z, each, MODULE, PATIENT)[0] for each in (held, others))
    for first, second in zip(one, two, strict=True):
        check_equal(first, second, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_group_training_on_a_cuda_device_equals_that_on_the_cpu(
    z: Tensor, members: list[CategoryPhotos], held: list[CategoryPhotos]
) -> None:
    for photos, settings in ((members, SHORT), (held, replace(SHORT, patience=2))):
        moved = [
            CategoryPhotos(
                *(
                    part.cuda()
                    for part in (own.y_hat, own.is_positive, own.train, own.test, own.validation)
                )
            )
            for own in photos
        ]
        here, _ = train(z, photos, MODULE, settings)
        for shared in (z.cuda(), z):  # Z that is too large for the device stays on the CPU
            there, _ = train(shared, moved, MODULE, settings)
            for one, other in zip(there, here, strict=True):
                check_equal(one, other, 1e-2)
