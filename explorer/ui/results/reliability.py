"""How far the network's own answers can be relied on, measured on test photos."""

import streamlit as st

from explorer.analysis.calibration import Reliability
from explorer.analysis.conformal import COVERAGE
from explorer.analysis.doubt import Level
from explorer.analysis.trust import MIN_PHOTOS, Trust
from explorer.render.reliability import render_reliability
from explorer.ui.shared.empty import show_workspace_command
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.standard import find_standard
from explorer.workspace.workspace import Workspace

_PLAIN, _CALIBRATED = "plain softmax", "calibrated"


def show_reliability(workspace: Workspace) -> None:
    """Show accuracy against certainty, the sets, and how many birds are doubted."""
    st.header("How reliable the network is", anchor=False)
    standard = find_standard(workspace)
    if standard is None:
        st.caption("How often the network is right at each certainty has not been measured yet.")
        show_workspace_command("evaluate", workspace)
        return
    if standard.trust is None:
        st.caption(f"This needs {2 * MIN_PHOTOS} test photos, and this workspace has fewer.")
        return
    _show_trust(standard.trust)


def _show_trust(trust: Trust) -> None:
    tested = trust.tested
    series = {_PLAIN: tested.before, _CALIBRATED: tested.after}
    figure = draw(
        render_reliability,
        {name: (one.certainty, one.accuracy, one.counts.tolist()) for name, one in series.items()},
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        show_figure(
            figure,
            f"Accuracy against certainty in {len(tested.after.counts)} bins. Calibration error "
            f"{tested.before.error:.3f} with plain softmax, {tested.after.error:.3f} calibrated",
            key="figure-reliability",
            numbers=_list_numbers(series),
        )
    with right:
        st.markdown(_describe(trust))


def _describe(trust: Trust) -> str:
    tested, levels = trust.tested, trust.tested.levels
    chance = f"{tested.after.chance:.3f}"
    least = (
        f" With so few photos, even a perfectly calibrated network would have {chance}."
        if float(chance)
        else ""
    )
    return f"""
Fitted to one half of the held-out photos and measured on the other {tested.photos:,}:

- **Accuracy**: the first answer is right for {tested.top_1:.1%}, one of the first five for
  {tested.top_5:.1%}.
- **Calibration error**: {tested.before.error:.3f} with plain softmax, {tested.after.error:.3f} with
  temperature {trust.temperature:.2f}, in {len(tested.after.counts)} bins.{least}
- **Sets** meant to contain the right species for {COVERAGE:.0%} of photos: they have
  {tested.set_sizes.mean():.1f} species on average and contain it for {tested.coverage:.1%}.
- **Doubt**: {levels[Level.STRANGE]:.1%} of these photos are judged strange, and
  {levels[Level.BORDERLINE]:.1%} borderline.

On the dotted line, the network is right as often as its certainty says. Larger points stand for
more photos.
"""


def _list_numbers(series: dict[str, Reliability]) -> dict[str, list[object]]:
    rows = [
        (name, float(low), float(high), int(count), int(right), float(sure))
        for name, one in series.items()
        for low, high, count, right, sure in zip(
            one.edges[:-1], one.edges[1:], one.counts, one.right, one.certainty, strict=True
        )
    ]
    names = ("probability", "from", "to", "photos", "right", "mean certainty")
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
