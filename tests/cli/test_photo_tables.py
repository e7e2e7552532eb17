import csv
from dataclasses import replace

from rich.console import Console

from explorer.cli.photo_tables import make_table, print_photo
from explorer.explaining.records import (
    CategoryRecord,
    ExplanationRecord,
    PhotoRecord,
    XFeatureRecord,
)

SENTENCE = "Mostly red breast (2.0 of 2.5); the rest, 0.5, is not explained."


def make_photo(*x_features: XFeatureRecord) -> PhotoRecord:
    explanation = ExplanationRecord(
        "001.Robin", "srae-k5-s0", 2.5, 2.0, 0.5, 0.0, x_features, SENTENCE
    )
    return PhotoRecord(
        file="robin.jpg",
        width=90,
        height=60,
        notes=(),
        level=None,
        share_as_strange=None,
        certainty=0.75,
        headline="The network says Robin.",
        text="There are too few test photos to say how far to rely on that.",
        at_certainty=None,
        when_named=None,
        categories=(CategoryRecord("001.Robin", "Robin", 2.5, 0.75, False),),
        explanation=explanation if x_features else None,
    )


RED, UNNAMED = XFeatureRecord(1, "red breast", 4.0, 2.0), XFeatureRecord(2, None, 0.0, 0.0)


def print_to_text(photo: PhotoRecord) -> str:
    console = Console(width=400)
    with console.capture() as captured:
        print_photo(console, photo)
    return captured.get()


def test_the_table_has_names_beside_contributions() -> None:
    data = make_table([make_photo(RED, UNNAMED), make_photo()])
    first, second = csv.DictReader(data.decode("utf-8-sig").splitlines())
    assert first["sentence"] == SENTENCE
    assert (first["contribution_1"], first["name_1"]) == ("2.0", "red breast")
    assert (first["contribution_2"], first["name_2"]) == ("0.0", "")
    assert (second["sentence"], second["contribution_1"], second["name_1"]) == ("", "", "")


def test_the_sentence_stands_before_the_numbers() -> None:
    text = print_to_text(make_photo(RED, UNNAMED))
    assert text.index(SENTENCE) < text.index("x-feature 1 “red breast” +2.00, x-feature 2 0.00")


def test_a_base_comes_before_the_x_features() -> None:
    photo = make_photo(RED)
    assert photo.explanation is not None
    assert "base" not in print_to_text(photo)
    based = replace(photo, explanation=replace(photo.explanation, base=-7.5))
    assert "base −7.50, x-feature 1 “red breast” +2.00; together" in print_to_text(based)
    (row,) = csv.DictReader(make_table([based]).decode("utf-8-sig").splitlines())
    assert row["base"] == "-7.5"


def test_minus_signs_and_zeros_are_written_as_on_the_pages() -> None:
    text = print_to_text(
        make_photo(XFeatureRecord(1, None, 1.0, -1.5), XFeatureRecord(2, None, 1e-9, -1e-9))
    )
    assert "x-feature 1 −1.50, x-feature 2 0.00; together" in text


def test_a_strange_photo_has_scores_and_no_probabilities() -> None:
    photo = make_photo(RED)
    known = print_to_text(photo)
    assert "75%" in known
    assert "probability" in known
    assert "in the set" in known
    strange = print_to_text(replace(photo, level="strange"))
    assert "75%" not in strange
    assert "probability" not in strange
    assert "2.50" in strange
