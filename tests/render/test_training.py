from itertools import pairwise

import pytest

from explorer.render.training import render_training


def test_every_curve_is_drawn_at_its_epochs() -> None:
    curves = {"Total": [4.0, 2.0, 1.0], "Pretraining": [0.5, None, None]}
    figure = render_training(curves, [1, 2, 3], "Loss", text_colour="#123456")
    total, pretraining = figure.data
    assert (total.name, list(total.x), list(total.y)) == ("Total", [1, 2, 3], [4, 2, 1])
    assert (list(pretraining.x), list(pretraining.y)) == ([1], [0.5])
    assert pretraining.mode == "markers"  # a line of one point is invisible
    assert figure.layout.title.text == "Loss"
    assert figure.layout.font.color == figure.layout.legend.font.color == "#123456"
    assert figure.layout.yaxis.type != "log"
    assert figure.layout.yaxis.rangemode == "tozero"


def test_curves_differ_in_more_than_colour() -> None:
    names = ("Total", "Faithfulness", "Reconstruction", "Pull-away", "Pretraining")
    figure = render_training({name: [1.0, 2.0] for name in names}, [1, 2], "")
    assert len({trace.line.dash for trace in figure.data}) == len(names)
    assert len({trace.line.color for trace in figure.data}) == len(names)


def test_single_points_differ_in_more_than_colour() -> None:
    names = ("Total", "Faithfulness", "Reconstruction", "Pull-away", "Pretraining")
    figure = render_training({name: [1.0] for name in names}, [1], "")
    assert {trace.mode for trace in figure.data} == {"markers"}
    assert len({trace.marker.symbol for trace in figure.data}) == len(names)


def test_few_epochs_have_a_tick_each() -> None:
    figure = render_training({"Total": [None, None, 2.0, 1.0]}, [-29, 0, 1, 2], "")
    assert (figure.layout.xaxis.tick0, figure.layout.xaxis.dtick) == (0, 1)
    figure = render_training({"Total": [2.0, 1.0]}, [1, 60], "")
    assert figure.layout.xaxis.dtick is None


def test_every_curve_is_drawn_however_many_there_are() -> None:
    figure = render_training({f"Term {n}": [1.0, 2.0] for n in range(27)}, [1, 2], "")
    looks = [(trace.line.color, trace.line.dash) for trace in figure.data]
    assert len({*looks[:25]}) == 25
    assert looks[25:] == looks[:2]


def test_values_without_a_logarithm_are_left_out() -> None:
    values = [0.0, -1.0, float("nan"), float("inf"), 2.0]
    figure = render_training({"Total": values}, [1, 2, 3, 4, 5], "", log_scale=True)
    assert list(figure.data[0].x) == [5]
    assert figure.layout.yaxis.type == "log"


def test_long_curves_are_thinned_out_to_their_end() -> None:
    epochs = list(range(1, 5001))
    figure = render_training({"Total": [1.0 / e for e in epochs]}, epochs, "")
    drawn = list(figure.data[0].x)
    assert 300 < len(drawn) <= 400
    assert drawn[-1] == 5000
    assert {b - a for a, b in pairwise(drawn)} == {13}
    assert list(figure.data[0].y)[-1] == 1 / 5000


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match="zip"):
        render_training({"Total": [1.0]}, [1, 2], "")
