"""What is said of photos, as text on the terminal and as a table with a row per photo."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from explorer.analysis.doubt import Level
from explorer.explaining.records import ExplanationRecord, PhotoRecord
from explorer.explaining.words import format_percent
from explorer.methods.runs import format_run
from explorer.render.numbers import format_number, format_signed
from explorer.storage.packing import make_csv

_MOST_SHOWN = 5
_MOST_PARTS = 3


def print_photo(console: Console, photo: PhotoRecord) -> None:
    """Print the verdict on a photo, the most probable categories, and what adds up to a score."""
    console.print(f"\n[bold]{escape(photo.file)}[/]", highlight=False, soft_wrap=True)
    for note in photo.notes:
        console.print(f"Note: {note}", markup=False, highlight=False)
    console.print(f"{photo.headline} {photo.text}", markup=False, highlight=False)
    console.print(_make_category_table(photo))
    if photo.explanation is None:
        console.print("There is no module yet that explains a score.")
    else:
        _print_sum(console, photo.explanation, photo)
        _print_part_shares(console, photo.explanation)


def _make_category_table(photo: PhotoRecord) -> Table:
    """Make a table of the highest scores; a strange photo may show none of these categories."""
    is_strange = photo.level == Level.STRANGE.value
    table = Table(Column("category", overflow="fold"), "ŷ")
    for column in () if is_strange else ("probability", "in the set"):
        table.add_column(column)
    for one in photo.categories[:_MOST_SHOWN]:
        chances = () if is_strange else (format_percent(one.probability), "yes" * one.in_set)
        table.add_row(escape(one.name), format_number(one.y_hat), *chances)
    return table


def _print_sum(console: Console, explanation: ExplanationRecord, photo: PhotoRecord) -> None:
    names = {one.category: one.name for one in photo.categories}
    base = [f"base {format_signed(explanation.base)}"] if explanation.base else []
    parts = base + [
        f"x-feature {x.x_feature}{f' “{x.name}”' if x.name else ''} {format_signed(x.contribution)}"
        for x in explanation.x_features
    ]
    console.print(explanation.sentence, markup=False, highlight=False)
    console.print(
        f"Score of {names[explanation.category]} ({format_run(explanation.run)}): "
        f"{', '.join(parts)}; together ȳ = {format_number(explanation.y_bar)}. "
        f"The network's ŷ = {format_number(explanation.y_hat)}, not explained "
        f"{format_signed(explanation.rest)}.",
        markup=False,
        highlight=False,
    )


def _print_part_shares(console: Console, explanation: ExplanationRecord) -> None:
    """Print on which found parts most heat of each x-feature lies."""
    words = []
    for x in explanation.x_features:
        shares = sorted((x.part_shares or {}).items(), key=lambda item: -item[1])[:_MOST_PARTS]
        named = ", ".join(f"{part} {format_percent(share)}" for part, share in shares if share)
        words += [f"x-feature {x.x_feature} on {named}"] if named else []
    if words:
        text = f"By the parts found on the photo: {'; '.join(words)}."
        console.print(text, markup=False, highlight=False)


def make_table(photos: Sequence[PhotoRecord]) -> bytes:
    """Make a CSV with a row per photo; columns of contributions as many as any photo has."""
    explained = [photo.explanation for photo in photos]
    most = max((len(one.x_features) for one in explained if one), default=0)
    columns: dict[str, list[object]] = {
        "file": [photo.file for photo in photos],
        "level": [photo.level or "" for photo in photos],
        "share_as_strange": [_leave_blank(photo.share_as_strange) for photo in photos],
        "category": [photo.categories[0].category for photo in photos],
        "certainty": [photo.certainty for photo in photos],
        "set": [";".join(c.category for c in photo.categories if c.in_set) for photo in photos],
        "verdict": [f"{photo.headline} {photo.text}" for photo in photos],
        "explained": [one.category if one else "" for one in explained],
        "module_run": [one.run if one else "" for one in explained],
        "y_hat": [one.y_hat if one else "" for one in explained],
        "y_bar": [one.y_bar if one else "" for one in explained],
        "rest": [one.rest if one else "" for one in explained],
        "base": [one.base if one else "" for one in explained],
        "sentence": [one.sentence if one else "" for one in explained],
    }
    for index in range(most):
        columns[f"contribution_{index + 1}"] = [
            one.x_features[index].contribution if one and index < len(one.x_features) else ""
            for one in explained
        ]
        columns[f"name_{index + 1}"] = [
            (one.x_features[index].name or "") if one and index < len(one.x_features) else ""
            for one in explained
        ]
    return make_csv(columns)


def _leave_blank(value: float | None) -> object:
    return "" if value is None else value
