from explorer.render.curves import render_curves
from explorer.render.style import METHOD_COLOURS

CURVES = {
    "SRAE": {"deletion": [1.0, 0.2, 0.0], "insertion": [0.0, 0.9, 1.0]},
    "NN": {"deletion": [1.0, 0.5, 0.0], "insertion": [0.0, 0.5, 1.0]},
}


def test_every_method_has_one_colour_and_both_ways() -> None:
    figure = render_curves(CURVES, [0.0, 0.5, 1.0], "Curves", text_colour="#123456")
    assert [trace.name for trace in figure.data] == ["SRAE", "SRAE", "NN", "NN"]
    assert [trace.line.dash for trace in figure.data] == ["solid", "dot"] * 2
    assert [trace.showlegend for trace in figure.data] == [True, False] * 2
    assert list(figure.data[0].y) == CURVES["SRAE"]["deletion"]
    assert list(figure.data[3].y) == CURVES["NN"]["insertion"]
    assert figure.data[0].line.color == figure.data[1].line.color == METHOD_COLOURS[0]
    assert len(set(METHOD_COLOURS)) == 8
