import pytest

from explorer.config import ExplorerError
from explorer.methods.joint_sae import JointSaeSettings
from explorer.methods.nn import NnSettings
from explorer.methods.registry import DEFAULT, list_trained
from explorer.methods.sae import SaeSettings
from explorer.methods.srae import SraeSettings
from explorer.methods.srae_concepts import SraeConceptsSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.ui.shared.training_request import USUAL, make_method


@pytest.mark.parametrize("text", ["800,100", "800, 100", "800x100", " 800  100 "])
def test_widths_are_read_in_common_notations(text: str) -> None:
    assert make_method({**USUAL, "widths": text}).settings.widths == (800, 100)


def test_empty_fields_mean_default_settings() -> None:
    assert make_method(USUAL) == DEFAULT
    assert (DEFAULT.settings, DEFAULT.training) == (SraeConceptsSettings(), TrainingSettings())
    assert make_method({**USUAL, "widths": ""}) == DEFAULT
    for method in list_trained():
        assert make_method({"method": method.name}) == method


def test_fields_set_module_and_training() -> None:
    filled = make_method({"method": "joint-sae", "widths": "8", "beta": 2.0, "seed": 3})
    assert filled.settings == JointSaeSettings(widths=(8,), beta=2.0)
    assert filled.training == TrainingSettings(seed=3)
    filled = make_method({"method": "sae", "x_features": 3, "patience": 7})
    assert filled.settings == SaeSettings(x_features=3)
    assert filled.training == TrainingSettings(patience=7)
    filled = make_method({"method": "srae-pull-away", "q": 9.0})
    assert filled.settings == SraeSettings(q=9.0, pull_away=1.0)
    assert make_method({"method": "nn", "pull_away": 0.5}).settings == NnSettings(pull_away=0.5)


def test_missing_numbers_are_refused() -> None:
    with pytest.raises(ExplorerError, match="a number for batch size"):
        make_method({**USUAL, "batch_size": None})


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ExplorerError, match="The epochs must be at least 1 and at most 1,000,000"):
        make_method({**USUAL, "epochs": 0})
    with pytest.raises(ExplorerError, match="Each of the widths must be at least 1 and at"):
        make_method({**USUAL, "widths": "8x0"})
