import pytest

from explorer.methods.registry import METHODS
from explorer.render.curves import render_curves

COLOURS = {"SRAE": "#0072b2", "NN": "#009e73"}
CURVES = {
    "SRAE": {"deletion": [1.0, 0.2, 0.0], "insertion": [0.0, 0.9, 1.0]},
    "NN": {"deletion": [1.0, 0.5, 0.0], "insertion": [0.0, 0.5, 1.0]},
}
FRACTIONS = [0.0, 0.5, 1.0]


def test_every_method_has_one_colour_and_both_curves() -> None:
    figure = render_curves(CURVES, FRACTIONS, "Curves", colours=COLOURS, text_colour="#123456")
    assert [trace.name for trace in figure.data] == ["SRAE", "SRAE", "NN", "NN"]
    assert [trace.line.dash for trace in figure.data] == ["solid", "dot"] * 2
    assert [trace.showlegend for trace in figure.data] == [True, False] * 2
    assert list(figure.data[0].y) == CURVES["SRAE"]["deletion"]
    assert list(figure.data[3].y) == CURVES["NN"]["insertion"]
    assert [trace.line.color for trace in figure.data] == ["#0072b2"] * 2 + ["#009e73"] * 2


def test_no_method_is_left_out_however_many_there_are() -> None:
    curves = {method.title: CURVES["NN"] for method in METHODS.values()}
    colours = {method.title: method.colour for method in METHODS.values()}
    figure = render_curves(curves, FRACTIONS, "Curves", colours=colours)
    drawn = {trace.name: trace.line.color for trace in figure.data if trace.showlegend}
    assert drawn == colours
    assert len(set(drawn.values())) == len(METHODS)


def test_mismatched_arguments_are_refused() -> None:
    with pytest.raises(KeyError, match="NN"):
        render_curves(CURVES, FRACTIONS, "Curves", colours={"SRAE": "#0072b2"})
    with pytest.raises(ValueError, match="zip"):
        render_curves({"NN": {"deletion": [1.0] * 3}}, FRACTIONS, "Curves", colours=COLOURS)
    with pytest.raises(ValueError, match="3 values do not fit 2 fractions"):
        render_curves(CURVES, FRACTIONS[:2], "Curves", colours=COLOURS)
