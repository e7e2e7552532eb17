import pytest

from explorer.analysis.table import Row, average_seeds, summarise
from explorer.evaluation.findings import describe_verdict, list_findings

METHODS = ("srae", "srae-concepts")
PAPER = {"srae": 1.97, "sae": 2.15, "nn": 2.31, "excitation-bp": 2.49, "z": 1.96}


def make_rows(measure: str, means: dict[str, float], spread: float = 0.01) -> list[Row]:
    """Make rows of two categories whose values lie `spread` above and below the mean."""
    return [
        Row(method, category, 0, measure, mean + sign * spread)
        for method, mean in means.items()
        for category, sign in (("a", -1), ("b", 1))
    ]


def say(rows: list[Row]) -> tuple[str, ...]:
    return list_findings(summarise(average_seeds(rows)))


def test_the_papers_own_figures_are_in_its_order() -> None:
    (sentence,) = say(make_rows("locality", PAPER))
    assert sentence == (
        "Leaving Z aside, SRAE's maps are the most local of the paper's methods: their locality is "
        "1.970, that of SAE, the next, 2.150; SRAE's 95% interval overlaps with no other, and the "
        "paper's order holds (SRAE < SAE < NN < ExcitationBP)."
    )


def test_another_order_and_intervals_that_overlap_are_said() -> None:
    means = {"srae": 2.29, "sae": 2.27, "nn": 2.28, "excitation-bp": 2.31}
    (sentence,) = say(make_rows("locality", means, spread=0.1))
    assert "are not the most local" in sentence
    assert "their locality is 2.290, that of SAE 2.270;" in sentence
    assert "SRAE's 95% interval overlaps with all others, and" in sentence
    assert sentence.endswith(
        "the order is SAE < NN < SRAE < ExcitationBP, in the paper SRAE < SAE < NN < ExcitationBP."
    )


def test_methods_that_were_not_compared_are_not_claimed_to_be_beaten() -> None:
    (sentence,) = say(make_rows("locality", {"srae": 1.97, "excitation-bp": 2.49}))
    assert "the most local of the paper's methods that were compared: their" in sentence


def test_the_default_is_compared_with_the_papers_own() -> None:
    means = {
        "locality": (2.22, 2.1),
        "weighted_locality": (2.37, 2.14),
        "f_reg_test": (0.056, 0.062),
        "effective_number": (2.4, 4.4),
        "top_share": (0.72, 0.27),
    }
    rows = [
        row
        for measure, (srae, default) in means.items()
        for row in make_rows(measure, {"srae": srae, "srae-concepts": default})
    ]
    assert say(rows)[-1] == (
        "SRAE with concepts, the default, has a locality of 2.100 (2.140 if x-features count by "
        "their contributions; SRAE 2.370) and an F_reg of 0.062; 4.4 x-features carry its score, "
        "the largest with 27% (SRAE 72%)."
    )
    assert not any("the default" in one for one in say(rows[:-2]))


def test_methods_whose_interval_is_apart_are_named() -> None:
    means = PAPER | {"sae": 1.98}
    (sentence,) = say(make_rows("locality", means, spread=0.05))
    assert "overlaps with all others but NN and ExcitationBP's" in sentence
    (sentence,) = say(make_rows("locality", {"srae": 1.0, "nn": 2.0})[::2])
    assert "a single category has no interval" in sentence


def test_faithfulness_and_the_x_features_that_carry_the_score() -> None:
    rows = make_rows("f_reg_test", {"srae": 0.125, "nn": 0.117, "sae": 0.857})
    rows += make_rows("effective_number", {"srae": 2.04}) + make_rows("top_share", {"srae": 0.73})
    (sentence,) = say(rows)
    assert sentence == (
        "SRAE's score is 0.125 from the network's on average over test photos (F_reg), and the "
        "paper's order holds (NN < SRAE < SAE); 2.0 x-features carry the score, the largest with "
        "73% of it."
    )
    other = make_rows("f_reg_test", {"srae": 0.1, "nn": 0.2})
    assert say(other)[0].endswith("the order is SRAE < NN, in the paper NN < SRAE.")
    alone = make_rows("f_reg_test", {"srae": 0.1})
    assert "no other method to compare" in say(alone)[0]


@pytest.mark.parametrize("means", [{}, {"nn": 2.0}, {"srae": 2.0}, {"srae": 2.0, "z": 1.9}])
def test_without_srae_or_another_method_nothing_is_said(means: dict[str, float]) -> None:
    assert say(make_rows("locality", means)) == ()


def test_both_sentences_come_in_order() -> None:
    rows = make_rows("f_reg_test", {"srae": 0.1, "nn": 0.2}) + make_rows("locality", PAPER)
    first, second = say(rows)
    assert first.startswith("Leaving Z aside, SRAE's maps")
    assert second.startswith("SRAE's score")


@pytest.mark.parametrize(
    ("locality", "spread", "words"),
    [
        ((2.37, 2.14), 0.01, "and its maps are more local"),
        ((2.14, 2.37), 0.01, "but its maps are less local"),
        ((2.37, 2.14), 0.2, "and its maps are about as local"),
    ],
)
def test_the_verdict_is_two_plain_sentences(
    locality: tuple[float, float], spread: float, words: str
) -> None:
    rows = make_rows("weighted_locality", dict(zip(METHODS, locality, strict=True)), spread)
    rows += make_rows("effective_number", dict(zip(METHODS, (2.4, 4.4), strict=True)))
    rows += make_rows("relative_f_reg_test", dict(zip(METHODS, (0.003, 0.01), strict=True)), 0.0)
    estimates = summarise(average_seeds(rows))
    assert describe_verdict(estimates) == (
        "**SRAE with concepts** shares the score among 4.4 x-features, the paper's SRAE among 2.4, "
        f"{words}. The score that SRAE with concepts rebuilds is off by 1.0% of the range of "
        "scores, that of SRAE by 0.3%."
    )
    del estimates["srae", "effective_number"]
    assert describe_verdict(estimates) == ""
