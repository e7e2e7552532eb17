"""Measures of a module as a row of numbers."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.measuring.records import ModuleMeasures
from explorer.ui.shared.markdown import format_share
from explorer.ui.shared.words import HELP


def show_measures(measures: Sequence[tuple[str, str, str]], key: str) -> None:
    """Show numbers in tiles that wrap: (label, value, key of the help text)."""
    with st.container(horizontal=True, key=key, gap="small"):
        for label, value, help_name in measures:
            st.metric(label, value, help=HELP[help_name], border=True)


def show_module_measures(measures: ModuleMeasures, part_count: int) -> None:
    """Show how faithful and how local a module is."""
    train, test = measures.train.faithfulness, measures.test.faithfulness
    locality, live = measures.locality.test.mean_locality, measures.live
    show_measures(
        [
            ("F_reg, test", f"{test.f_reg:.3f}", "f_reg"),
            ("F_reg, train", f"{train.f_reg:.3f}", "f_reg"),
            ("of range, test", format_share(test.relative_f_reg), "relative"),
            ("R², test", format_share(test.r2), "r2"),
            ("Locality, test", "–" if locality is None else f"{locality:.2f}", "locality"),
            ("x-features live", f"{sum(live)} of {len(live)}", "live"),
        ],
        key="module-measures",
    )
    st.caption(
        f"Measured on {test.count:,} test and {train.count:,} training photos of all "
        f"categories; locality on the category's own test photos, at most {np.log(part_count):.2f} "
        f"with {part_count} parts. Scores ŷ on the test photos span {test.y_hat_range:.2f}."
    )
