"""Which photos the map shows, what places them, and what colours them."""

from dataclasses import dataclass

import streamlit as st

from explorer.ui.shared import state
from explorer.ui.shared.choices import choose_one

WHOSE, BY, COLOURED, SIDE = "map_of", "placed_by", "coloured_by", "map_side"
OWN, EVERY = "its own category", "all birds"
X_FEATURES, SCORES = "x-features", "the network's scores"
ACTIVATION, RIGHT, SPECIES = "x-feature", "right or wrong", "species"
ALL, HELD_OUT = "all", "held out"
_BY_HELP = (
    "By what each x-feature of the module adds to the score, or by the network's scores of all "
    "species. Photos with like numbers lie together: the plane is that of the first two principal "
    "components."
)


@dataclass(frozen=True)
class Choice:
    """What the map shows.

    Attributes
    ----------
    whose : {"its own category", "all birds"}
        Of which birds.
    by : {"x-features", "the network's scores"}
        What places the photos.
    colours : {"x-feature", "right or wrong", "species"}
        What colours them; species among all birds alone.
    side : {"all", "held out"}
        Whether photos from which the network has learnt are left out.
    """

    whose: str
    by: str
    colours: str
    side: str

    @property
    def params(self) -> dict[str, str]:
        """The choice as parameters of the page's address."""
        return {WHOSE: self.whose, BY: self.by, COLOURED: self.colours, SIDE: self.side}


def choose_map() -> Choice:
    """Show the controls of the map, and return the choice."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="photo-map-choice"):
        whose = choose_one(WHOSE, (OWN, EVERY), "Photos of", "choice of birds")
        by = choose_one(BY, (X_FEATURES, SCORES), "Placed by", "numbers of photos", _BY_HELP)
        kinds = (ACTIVATION, RIGHT) if whose == OWN else (SPECIES, ACTIVATION, RIGHT)
        state.discard_unknown_choice(COLOURED, kinds)
        colours = choose_one(COLOURED, kinds, "Coloured by", "colours of photos")
        side = choose_one(
            SIDE,
            (ALL, HELD_OUT),
            "Photos",
            "choice of photos",
            "The network has not learnt from photos that were held out.",
        )
    return Choice(whose, by, colours, side)
