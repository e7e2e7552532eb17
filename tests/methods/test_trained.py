"""The losses of the methods that train a module."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from explorer.config import ExplorerError
from explorer.methods.joint_sae import JointSaeSettings
from explorer.methods.nn import NnSettings
from explorer.methods.registry import list_trained
from explorer.methods.sae import SaeSettings
from explorer.methods.srae import SraeSettings
from explorer.methods.srae_concepts import SraeConceptsSettings
from explorer.nn.concept_losses import (
    compute_cancellation,
    compute_disagreement,
    compute_evenness,
    compute_map_disagreement,
)
from explorer.nn.guide import Guide
from explorer.nn.losses import ModuleSettings
from explorer.nn.module_maps import compute_cell_maps, compute_heat_at_z
from explorer.nn.srae import ExplanationModule, ModuleOutputs

OUTPUTS = ModuleOutputs(
    x_features=torch.tensor([[3.0, 0.0], [4.0, 5.0]]),
    y_bar=torch.tensor([1.0, 4.0]),
    z_reconstructed=torch.tensor([[1.5, 2.0], [3.5, 2.0]]),
)
Z, Y_HAT = torch.tensor([[0.5, 2.0], [0.5, 2.0]]), torch.tensor([2.0, 1.0])
FAITHFULNESS = (1 + 9) / 2
COSINE = 20 / (5 * 5)
PULLED = [SraeSettings(pull_away=0.5), NnSettings(pull_away=0.5), JointSaeSettings(pull_away=0.5)]
ALL = [*PULLED, SaeSettings()]


class ConstantModule:
    """A module with constant outputs."""

    def __init__(self, outputs: ModuleOutputs) -> None:
        self._outputs = outputs

    def __call__(self, _: Tensor, *, rebuild: bool = True) -> ModuleOutputs:
        return self._outputs if rebuild else self._outputs._replace(z_reconstructed=torch.empty(0))

    def encoder(self, _: Tensor) -> Tensor:
        return self._outputs.x_features

    def decoder(self, _: Tensor) -> Tensor:
        return self._outputs.z_reconstructed


def compute(
    settings: ModuleSettings, outputs: ModuleOutputs = OUTPUTS, **changes: Any
) -> dict[str, float]:
    arguments = {"z": Z, "y_hat": Y_HAT, **changes}
    terms = settings.compute_terms(ConstantModule(outputs), **arguments)  # type: ignore[arg-type]
    return {name: float(term) for name, term in terms.items()}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_terms_of_srae_by_hand() -> None:
    terms = compute(SraeSettings(beta=3.0, q=2.0, pull_away=0.5))
    assert terms == {
        "faithfulness": pytest.approx(FAITHFULNESS),
        "reconstruction": pytest.approx(3 * torch.tensor(11.0).log().item() / 2),
        "pull_away": pytest.approx(0.5 * COSINE**2),
    }


def test_srae_of_2017_has_no_pull_away() -> None:
    assert set(compute(SraeSettings())) == {"faithfulness", "reconstruction"}


def test_a_beta_of_zero_removes_the_sparse_term() -> None:
    assert sum(compute(SraeSettings(beta=0.0)).values()) == pytest.approx(FAITHFULNESS)


def test_nn_has_only_the_faithfulness_term() -> None:
    assert compute(NnSettings()) == {"faithfulness": pytest.approx(FAITHFULNESS)}


def test_sae_has_only_the_reconstruction_term_and_its_v_is_fitted_afterwards() -> None:
    assert compute(SaeSettings()) == {"reconstruction": pytest.approx((1 + 9) / 4)}
    assert [type(one).trains_v for one in ALL] == [True, True, True, False]


def test_the_joint_autoencoder_has_a_plain_mean_instead_of_the_log() -> None:
    assert compute(JointSaeSettings(beta=3.0)) == {
        "faithfulness": pytest.approx(FAITHFULNESS),
        "reconstruction": pytest.approx(3 * (1 + 9) / 4),
    }


def test_concepts_add_their_terms_to_those_of_srae_if_there_is_a_guide() -> None:
    settings = SraeConceptsSettings(
        x_features=2,
        widths=(8,),
        evenness=2.0,
        cancellation=6.0,
        agreement=3.0,
        map_agreement=4.0,
        map_pull_away=5.0,
    )
    module = ExplanationModule(16, settings, seeded())
    z, y_hat = torch.rand(6, 16, generator=seeded(1)), torch.rand(6, generator=seeded(2))
    guide = Guide(
        torch.rand(4, 16, generator=seeded(3)),
        torch.rand(4, 16, 9, generator=seeded(4)),
        torch.rand(16, 2, generator=seeded(5)),
        torch.randn(16, 2, generator=seeded(6)),
    )
    plain = SraeSettings(x_features=2, widths=(8,)).compute_terms(module, z, y_hat)
    unguided = settings.compute_guided_terms(module, z, y_hat, None, None)
    torch.testing.assert_close(unguided, plain)
    terms = settings.compute_guided_terms(module, z, y_hat, None, guide)
    contributions = module.v.weight * module.encoder(guide.z)
    maps = compute_cell_maps(compute_heat_at_z(module, guide.z), guide.z_maps)
    cosines = torch.cosine_similarity(maps[:, 0], maps[:, 1], dim=-1)
    expected = plain | {
        "evenness": 2 * compute_evenness(contributions),
        "cancellation": 6 * compute_cancellation(contributions),
        "agreement": 3 * compute_disagreement(module.encoder(z), z @ guide.signals),
        "map_agreement": 4 * compute_map_disagreement(maps, guide),
        "map_pull_away": 5 * cosines.square().mean(),
    }
    torch.testing.assert_close(terms, expected)


@pytest.mark.parametrize("settings", ALL)
def test_modules_in_a_group_have_the_same_losses_as_alone(
    settings: ModuleSettings,
) -> None:
    settings = replace(settings, widths=(8,))
    module = ExplanationModule(16, settings, seeded())
    z, y_hat = torch.rand(3, 6, 16, generator=seeded(1)), torch.rand(3, 6, generator=seeded(2))
    together = settings.compute_terms(module, z, y_hat)
    for index in range(3):
        alone = settings.compute_terms(module, z[index], y_hat[index])
        assert together.keys() == alone.keys()
        for name, term in alone.items():
            torch.testing.assert_close(together[name][index], term)


@pytest.mark.parametrize("settings", ALL)
def test_examples_with_weight_zero_change_neither_loss_nor_gradient(
    settings: ModuleSettings,
) -> None:
    settings = replace(settings, widths=(8,))
    z, y_hat = torch.rand(6, 16, generator=seeded(1)), torch.rand(6, generator=seeded(2))
    shares = torch.tensor([0.25, 0.25, 0.25, 0.25, 0, 0])
    one, other = (ExplanationModule(16, settings, seeded()) for _ in range(2))
    padded = settings.compute_terms(one, z, y_hat, shares)
    plain = settings.compute_terms(other, z[:4], y_hat[:4])
    torch.testing.assert_close(padded, plain)
    for terms in (padded, plain):
        sum(terms.values()).backward()  # type: ignore[union-attr]
    for found, expected in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


@pytest.mark.parametrize("settings", ALL)
def test_an_example_with_weight_two_counts_like_two_copies(
    settings: ModuleSettings,
) -> None:
    shares = torch.tensor([1 / 3, 2 / 3])
    twice = ModuleOutputs(*(torch.cat([part, part[1:]]) for part in OUTPUTS))
    counted = compute(settings, twice, z=Z[[0, 1, 1]], y_hat=torch.tensor([2.0, 1.0, 1.0]))
    assert compute(settings, shares=shares) == pytest.approx(counted)


@pytest.mark.parametrize("method", list_trained(), ids=lambda method: method.name)
def test_the_decoder_is_trained_only_if_z_is_rebuilt(method: Any) -> None:
    settings = replace(method.settings, widths=(8,))
    module = ExplanationModule(16, settings, seeded())
    terms = settings.compute_terms(module, torch.rand(6, 16, generator=seeded(1)), torch.rand(6))
    sum(terms.values()).backward()
    has_gradient = any(
        parameter.grad is not None and bool(parameter.grad.any())
        for parameter in module.decoder.parameters()
    )
    assert has_gradient is settings.rebuilds_z


@pytest.mark.parametrize("kind", [SraeSettings, JointSaeSettings])
def test_without_a_weight_nothing_is_rebuilt(kind: type[ModuleSettings]) -> None:
    assert not kind(beta=0.0).rebuilds_z  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "change",
    [
        {"x_features": 0},
        {"beta": -0.1},
        {"q": 0.0},
        {"pull_away": -1.0},
        {"beta": float("nan")},
        {"q": float("nan")},
        {"pull_away": float("nan")},
        {"q": float("inf")},
    ],
)
def test_impossible_settings_are_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(ExplorerError, match="must be"):
        replace(SraeSettings(), **change)
