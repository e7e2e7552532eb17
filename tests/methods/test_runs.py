import pytest

from explorer.methods.runs import format_run


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("srae-k5-s0", "SRAE, 5 x-features, seed 0"),
        ("nn-k8-s12", "NN, 8 x-features, seed 12"),
        (
            "srae-k5-s0-widths800x100-beta3.0",
            "SRAE, 5 x-features, seed 0, widths 800x100, beta 3.0",
        ),
        (
            "srae-k5-s0-pull_away0.5-pretrain_epochs0-learning_rate1e-05",
            "SRAE, 5 x-features, seed 0, pull away 0.5, pretrain epochs 0, learning rate 1e-05",
        ),
        ("joint-sae-k5-s1", "SAE, trained jointly, 5 x-features, seed 1"),
        ("jointsae-k5-s1", "SAE, trained jointly, 5 x-features, seed 1"),
        ("mine-k5-s1", "MINE, 5 x-features, seed 1"),
    ],
)
def test_runs_are_described_in_words(run: str, words: str) -> None:
    assert format_run(run) == words


@pytest.mark.parametrize("run", ["", "my own run", "srae", "srae-k5", "SRAE-k5-s0"])
def test_runs_named_by_a_user_keep_their_name(run: str) -> None:
    assert format_run(run) == run
