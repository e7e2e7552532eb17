import pytest

from explorer.config import ExplorerError
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import METHODS, get_methods
from explorer.methods.srae import SraeSettings
from explorer.training.modules.settings import TrainingSettings


def test_methods_are_chosen_by_name() -> None:
    assert [method.name for method in get_methods("nn, srae,nn")] == ["nn", "srae"]
    assert get_methods("all") == tuple(METHODS.values())
    with pytest.raises(ExplorerError, match=r"'lime'.*srae"):
        get_methods("srae,lime")


def test_a_method_can_be_varied() -> None:
    (varied,) = get_methods("srae:beta=10:widths=160x20:epochs=7")
    assert isinstance(varied, TrainedMethod)
    assert varied.settings == SraeSettings(beta=10.0, widths=(160, 20))
    assert varied.training == TrainingSettings(epochs=7)
    assert varied.name == "srae-beta10-widths160x20-epochs7"
    assert varied.title == "SRAE, beta 10, widths 160x20, epochs 7"
    assert varied.paper is None, "the paper's figures are not of these settings"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("srae:gamma=1", "^SRAE has no setting 'gamma'. Choose among: x_features, widths, beta, q"),
        ("srae:seed=1", "^SRAE has no setting 'seed'"),
        ("srae:method=nn", "^SRAE has no setting 'method'"),
        ("nn:beta=10", "^NN has no setting 'beta'"),
        ("srae:beta=much", "^Beta cannot be 'much': it takes a number"),
        ("srae:beta", "^Beta cannot be ''"),
        ("srae:epochs=1.5", "^Epochs cannot be '1.5': it takes a whole number"),
        ("srae:widths=axb", "^Widths cannot be 'axb': it takes whole numbers such as 800x100"),
        ("z:beta=1", "^Z trains no module"),
        ("srae:q=-1", "^The q must be above 0 and at most 1,000,000,000, not -1.0"),
    ],
)
def test_impossible_variations_are_refused(text: str, words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        get_methods(text)
