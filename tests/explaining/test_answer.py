from pathlib import Path

import numpy as np
import pytest
from steps import run_steps

from explorer.analysis.calibration import compute_softmax
from explorer.analysis.doubt import Judgement, Level
from explorer.analysis.trust import Count
from explorer.explaining.answer import Answer, Standard, choose_module, make_answer, make_standard
from explorer.explaining.photo import answer_photo, explain_answer, prepare_standard
from explorer.explaining.words import describe_answer, format_percent
from explorer.measuring.parts import load_parts
from explorer.measuring.references import References
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

NAMES = {"1.A": "Auk", "2.B": "Bunting", "3.C": "Crow"}


def make_references(photos: int = 400) -> References:
    """Make held-out photos along three directions of Z, with scores that are mostly right."""
    random = np.random.default_rng(0)
    labels = np.arange(photos) % 3
    logits = random.normal(size=(photos, 3))
    logits[np.arange(photos), labels] += 2
    return References(
        image_ids=np.arange(photos, dtype=np.int32),
        labels=labels.astype(np.int32),
        logits=logits.astype(np.float16),
        sampled=np.arange(photos, dtype=np.int32),
        resemblance=random.uniform(0.5, 1, photos).astype(np.float32),
        means=np.eye(3, 2, dtype=np.float16),
    )


@pytest.fixture(scope="module")
def standard() -> Standard:
    return make_standard(make_references())


def ask(
    standard: Standard | None,
    z: list[float],
    logits: list[float],
    pooled: tuple[float, float] = (1, 0),
) -> Answer:
    arrays = (np.array(values, np.float32) for values in (z, logits, pooled))
    return make_answer(tuple(NAMES), *arrays, standard)


def test_an_answer_is_ranked_calibrated_and_counted(standard: Standard) -> None:
    answer = ask(standard, [3, 0, 4], [1.0, 0.0, 3.0])
    trust = standard.trust
    assert trust is not None
    assert answer.first == "3.C"
    assert answer.ranked == ("3.C", "1.A", "2.B")
    np.testing.assert_allclose(
        answer.probabilities, compute_softmax([1.0, 0.0, 3.0], trust.temperature)
    )
    assert answer.certainty == answer.probabilities.max()
    low, high = answer.certainty_range
    assert low < answer.certainty <= high
    place = trust.tested.after.find_bin(answer.certainty)
    assert answer.at_certainty == Count(
        int(trust.tested.after.right[place]), int(trust.tested.after.counts[place])
    )
    assert answer.when_named == trust.named[2]
    assert [answer.categories[i] for i in answer.likely] == [
        name for name in answer.ranked if answer.probabilities[list(NAMES).index(name)]
        >= trust.threshold
    ]  # fmt: skip


def test_levels_follow_the_share_of_test_photos_that_are_as_strange(standard: Standard) -> None:
    like, unlike = (1, 0), (-1, -1)
    alike = ask(standard, [1, 0, 0], [4.0, 0.0, 0.0], like).judgement
    assert alike is not None
    assert alike.level is Level.KNOWN
    nothing = ask(standard, [1, 0, 0], [0.0, 0.0, 0.0], unlike)
    assert nothing.judgement == Judgement(Level.STRANGE, 0.0)
    shares = [
        judgement.share
        for sure in np.linspace(0, 4, 9)
        if (judgement := ask(standard, [1, 0, 0], [sure, 0, 0], (0.6, -0.8)).judgement)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_without_a_standard_or_test_photos_nothing_is_judged() -> None:
    few = make_standard(make_references(30))
    for standard in (None, few):
        answer = ask(standard, [1, 0, 0], [1.0, 0.0, 0.0])
        assert answer.judgement is answer.at_certainty is answer.when_named is None
        assert answer.likely == ()
        np.testing.assert_allclose(answer.probabilities, compute_softmax([1.0, 0.0, 0.0]))


# Words


def make(level: Level | None, certainty: float = 0.8, **changes: object) -> Answer:
    rest = (1 - certainty) / 2
    values: dict = {
        "categories": tuple(NAMES),
        "z": np.zeros(3, np.float32),
        "pooled": np.zeros(2, np.float32),
        "logits": np.array([0, 2, 1], np.float32),
        "probabilities": np.array([rest, certainty, rest]),
        "order": (1, 2, 0),
        "judgement": None if level is None else Judgement(level, 0.03),
        "likely": (1, 2),
        "at_certainty": Count(40, 50),
        "when_named": Count(7, 9),
        "certainty_range": (0.7, 0.8),
    }
    return Answer(**(values | changes))


def test_a_known_bird() -> None:
    words = describe_answer(make(Level.KNOWN), NAMES)
    assert words.headline == "The network says Bunting, 80% certain."
    assert words.sentences == (
        "At this certainty it is right on 40 of 50 test photos; when it says Bunting, on 7 of 9.",
        "It is probably one of: Bunting, Crow.",
    )


def test_an_unsure_network_guesses() -> None:
    words = describe_answer(make(Level.KNOWN, certainty=0.45), NAMES)
    assert words.headline == "The network is not sure. Its first guess is Bunting, 45% certain."


def test_a_borderline_photo() -> None:
    words = describe_answer(make(Level.BORDERLINE), NAMES)
    assert words.headline == "This may be none of the 3 species that the network knows."
    assert words.sentences[0] == "Only 3% of test photos look as strange to it."
    assert "the network says Bunting, 80% certain" in words.sentences[1]
    assert "40 of 50" in words.sentences[2]
    assert words.sentences[3] == "If so: it is probably one of: Bunting, Crow."


def test_a_strange_photo_gets_no_set_and_no_record() -> None:
    words = describe_answer(make(Level.STRANGE, judgement=Judgement(Level.STRANGE, 0.0)), NAMES)
    assert words.headline == "This does not look like any of the 3 species that the network knows."
    assert words.sentences == (
        "No test photo looks as strange to it.",
        "Its guess all the same is Bunting; do not rely on it.",
    )


def test_without_a_judgement_it_says_why() -> None:
    words = describe_answer(make(None), NAMES)
    assert words.headline == "The network says Bunting."
    assert "too few test photos" in words.sentences[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"when_named": Count(1, 1), "at_certainty": None},
            "When it says Bunting, it is right on 1 of 1 test photo.",
        ),
        ({"when_named": Count(0, 0)}, "At this certainty it is right on 40 of 50 test photos."),
        (
            {"at_certainty": Count(0, 0)},
            "When it says Bunting, it is right on 7 of 9 test photos.",
        ),
        (
            {"at_certainty": Count(0, 0), "when_named": Count(0, 0)},
            "It was never this certain of a test photo, nor gave one this name.",
        ),
        ({"likely": (1,)}, "No other species is likely enough to be named beside it."),
    ],
)
def test_missing_test_photos_and_single_sets(changes: dict, sentence: str) -> None:
    assert sentence in describe_answer(make(Level.KNOWN, **changes), NAMES).sentences


def test_long_sets_are_cut() -> None:
    names = {f"{n}.X": f"Bird {n}" for n in range(9)}
    answer = make(Level.KNOWN, categories=tuple(names), likely=tuple(range(9)))
    said = describe_answer(answer, names).sentences[-1]
    assert said.startswith("It is probably one of 9 species: Bird 0, Bird 1,")
    assert said.endswith("Bird 5 and 3 more.")


def test_never_nothing_unusual() -> None:
    for level in (*Level, None):
        words = describe_answer(make(level), NAMES)
        assert "unusual" not in " ".join([words.headline, *words.sentences])


def test_percent_is_never_rounded_to_certainty() -> None:
    shares = (0, 0.001, 0.0051, 0.5, 0.994, 0.996, 1)
    assert list(map(format_percent, shares)) == [
        *("0%", "less than 1%", "1%", "50%", "99%", "more than 99%", "100%")
    ]  # fmt: skip


# With a workspace


def test_the_first_category_with_a_module_is_explained() -> None:
    entries = [ModuleEntry("b", run, Path("x")) for run in ("nn-k5-s0", "srae-concepts-k5-s0")]
    assert choose_module(["a", "b"], entries) == entries[1]
    assert choose_module(["a"], entries) is None


def test_contributions_add_up_as_on_the_page(tiny_workspace: Path) -> None:
    """The sum without maps is that of the explanation with maps."""
    workspace = Workspace(tiny_workspace)
    image = load_parts(workspace.held_out[0]).image
    standard = run_steps(prepare_standard(workspace))
    answer = answer_photo(workspace, standard, image)
    explained = explain_answer(workspace, answer)
    assert explained is not None
    page = workspace.networks.explain(explained.entry, image)
    np.testing.assert_array_equal(page.logits, answer.logits)
    np.testing.assert_allclose(explained.contributions, page.contributions, atol=1e-5)
    np.testing.assert_allclose(explained.x_features, page.x_features, atol=1e-5)
    assert explained.contributions.sum() == pytest.approx(explained.y_bar, abs=1e-4)
    assert explained.y_hat == page.y_hat
    assert explained.y_bar == pytest.approx(page.y_bar, abs=1e-5)
    assert explain_answer(workspace, answer, workspace.dataset.categories[5]) is None
