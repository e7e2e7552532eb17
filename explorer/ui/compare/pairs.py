"""Which maps of the two sides belong together."""

from collections.abc import Sequence

import streamlit as st

from explorer.analysis.pairing import Pair, pair_x_features
from explorer.ui.compare.numbers import SideNumbers
from explorer.ui.compare.sides import LEFT
from explorer.ui.shared import state

PAIR = "pair"
_GOOD, _FAIR = 0.8, 0.5
Both = tuple[SideNumbers, SideNumbers]


def list_pairs(left: SideNumbers, right: SideNumbers) -> tuple[Pair, ...]:
    """Pair the activations of both sides over all photos; those of one side if only it has any."""
    mine, theirs = left.outputs, right.outputs
    if mine is None:
        alone = () if theirs is None else list_pairs(right, left)
        return tuple(Pair(None, pair.left, None) for pair in alone)
    other = mine.activations[:, :0] if theirs is None else theirs.activations
    # What does not add up to a score is ordered by its activations.
    sizes = mine.activations if mine.contributions is None else mine.contributions
    return pair_x_features(mine.activations, other, sizes[left.is_positive])


def get_index(pair: Pair, place: str) -> int | None:
    """Return which map of a side belongs to a pair, counted from 0."""
    return pair.left if place == LEFT else pair.right


def name_pair(pairs: Sequence[Pair], slot: int) -> str:
    """Name a pair by a letter; empty if one side has nothing to pair."""
    if all(pair.left is None for pair in pairs) or all(pair.right is None for pair in pairs):
        return ""
    return chr(ord("A") + slot) if slot < 26 else str(slot + 1)


def show_matching(pairs: Sequence[Pair], both: Both) -> None:
    """Show which activations are paired, and how well they match."""
    left, right = both
    lines = [
        f"| **{name_pair(pairs, slot)}** | {_get_title(left, pair.left)} "
        f"| {_get_title(right, pair.right)} "
        f"| {_describe_match(pair.correlation)} |"
        for slot, pair in enumerate(pairs)
    ]
    st.markdown(
        "\n".join(["| | Left | Right | Match |", "|:--|:--|:--|:--|", *lines]),
        help="Correlation of the two activations over all photos: 1 if they rise and fall "
        "together, 0 if they have nothing in common.",
    )


def _name(side: SideNumbers, index: int | None) -> str:
    return "–" if index is None else side.names[index]


def _get_title(side: SideNumbers, index: int | None) -> str:
    if index is None or side.outputs is None:
        return _name(side, index)
    return side.outputs.get_title(index)


def _describe_match(correlation: float | None) -> str:
    if correlation is None:
        return "no partner"
    word = "good" if correlation >= _GOOD else "fair" if correlation >= _FAIR else "poor"
    return f"{word}, r\u00a0=\u00a0{correlation:.2f}".replace("-", "−")


def choose_pair(pairs: Sequence[Pair], both: Both) -> Pair | None:
    """Let the user choose a pair, and return it; None if there are none."""
    if not pairs:
        return None
    labels = _label(pairs, both)
    state.check_param(PAIR, labels, "pair of x-features")
    if st.session_state.get(PAIR, 0) not in range(len(pairs)):
        st.session_state[PAIR] = 0
    is_of_module = any(side.side.entry is not None for side in both)
    single = "x-feature to look at" if is_of_module else "Map to look at"
    slot = st.segmented_control(
        "Pair to look at" if name_pair(pairs, 0) else single,
        list(range(len(pairs))),
        default=0,
        required=True,
        format_func=lambda slot: labels[slot] if slot < len(labels) else str(slot),
        key=PAIR,
        bind=state.BIND,
        wrap=True,
    )
    return pairs[slot or 0]


def _label(pairs: Sequence[Pair], both: Both) -> list[str]:
    left, right = both
    return [
        name_pair(pairs, slot)
        or (_name(right, pair.right) if pair.left is None else _name(left, pair.left))
        for slot, pair in enumerate(pairs)
    ]


def make_params(pairs: Sequence[Pair], pair: Pair | None, both: Both) -> dict[str, str]:
    """Return what chooses a pair in the address."""
    return {} if pair is None else {PAIR: _label(pairs, both)[list(pairs).index(pair)]}
