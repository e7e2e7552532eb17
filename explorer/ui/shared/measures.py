"""Measures of a module as a row of numbers."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.measuring.records import ConceptMeasures, ModuleMeasures
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
    concepts = measures.concepts
    show_measures(
        [
            ("Error, test", f"{test.f_reg:.3f}", "f_reg"),
            ("Error, training", f"{train.f_reg:.3f}", "f_reg"),
            ("Relative error", format_share(test.relative_f_reg), "relative"),
            ("R², test", format_share(test.r2), "r2"),
            ("Locality, test", "–" if locality is None else f"{locality:.2f}", "locality"),
            ("x-features live", f"{sum(live)} of {len(live)}", "live"),
            *(() if concepts is None else _list_concepts(concepts, len(live))),
        ],
        key="module-measures",
    )
    st.caption(
        f"Measured on {test.count:,} test and {train.count:,} training photos of all "
        "categories; locality, effective number, top share and overlap on the category's own test "
        f"photos, locality at most {np.log(part_count):.2f} with {part_count} parts. The network's "
        f"scores of the test photos span {test.y_hat_range:.2f}."
    )
    if concepts is not None and concepts.is_dominated and len(live) > 1:
        st.info(
            f"On average, a single x-feature carries **{format_share(concepts.top_share)}** of the "
            f"score. This module explains it with about {concepts.effective_number:.1f} concepts, "
            f"not {len(live)}."
        )


def _list_concepts(concepts: ConceptMeasures, count: int) -> list[tuple[str, str, str]]:
    number, weighted = concepts.effective_number, concepts.weighted_locality
    return [
        ("Locality, weighted", "–" if weighted is None else f"{weighted:.2f}", "weighted_locality"),
        (
            "Effective number",
            "–" if number is None else f"{number:.1f} of {count}",
            "effective_number",
        ),
        ("Top share", format_share(concepts.top_share), "top_share"),
        ("Overlap of maps", format_share(concepts.overlap), "overlap"),
    ]
