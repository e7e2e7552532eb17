from explorer.evaluation.measures.registry import MEASURES
from explorer.evaluation.sections import COLUMNS, SECTIONS, list_sections


def test_measures_and_titles_are_unique() -> None:
    measures = [column.measure for column in COLUMNS]
    titles = [column.title for column in COLUMNS]
    assert len(set(measures)) == len(measures)
    assert len(set(titles)) == len(titles)


def test_measures_share_tables_in_the_order_of_their_columns() -> None:
    titles = [section.title for section in SECTIONS]
    assert len(set(titles)) == len(titles)
    listed = [c.measure for one in MEASURES for section in one.sections for c in section.columns]
    by_table = [column.measure for column in COLUMNS]
    assert set(listed) < set(by_table)
    for one in MEASURES:
        own = [c.measure for section in one.sections for c in section.columns]
        assert [name for name in by_table if name in own] == own


def test_tables_tell_of_what_was_measured_only() -> None:
    everything = {column.measure for column in COLUMNS}
    assert list_sections(everything) == SECTIONS
    (table,) = list_sections({"gap_own"})
    assert table.title == "Maps against scores"
    assert "*Gap*" not in table.caption
    assert "*Repeat*" not in table.caption
    (table,) = list_sections({"gap_own", "repeat_map"})
    assert table.title == "Maps against scores, and over seeds"
    assert "*Repeat*" in table.caption
    assert list_sections({"unheard"}) == ()
