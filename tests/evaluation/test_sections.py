from explorer.evaluation.sections import COLUMNS


def test_no_measure_stands_in_two_columns_and_no_title_means_two_things() -> None:
    measures = [column.measure for column in COLUMNS]
    titles = [column.title for column in COLUMNS]
    assert len(set(measures)) == len(measures)
    assert len(set(titles)) == len(titles)
