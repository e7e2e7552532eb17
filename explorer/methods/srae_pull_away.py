"""SRAE with the pull-away term, which pushes x-features to fire on different photos."""

from explorer.methods.base import TrainedMethod
from explorer.methods.srae import SraeSettings

METHOD = TrainedMethod(
    name="srae-pull-away",
    title="SRAE with pull-away",
    colour="#d55e00",
    summary="SRAE whose x-features are pushed to fire on different photos.",
    settings=SraeSettings(pull_away=1.0),
)
