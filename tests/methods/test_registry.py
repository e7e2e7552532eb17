import importlib
import re
from pathlib import Path

import pytest

from explorer import methods
from explorer.config import ExplorerError
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import (
    METHODS,
    find_method,
    get_method,
    get_methods,
    get_trained_methods,
    list_trained,
)
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
    assert varied.paper is None, "the paper has no figures for these settings"


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


def test_names_titles_and_colours_are_unique() -> None:
    for values in (
        [method.name for method in METHODS.values()],
        [method.title for method in METHODS.values()],
        [method.colour for method in METHODS.values()],
    ):
        assert len(set(values)) == len(values)
    assert all(re.fullmatch("#[0-9a-f]{6}", method.colour) for method in METHODS.values())
    assert all(method.summary.endswith(".") for method in METHODS.values())


def test_every_file_of_the_folder_is_registered() -> None:
    folder = Path(methods.__file__).parent
    names = {file.stem for file in folder.glob("*.py")} - {"__init__", "base", "registry", "runs"}
    found = {importlib.import_module(f"{methods.__name__}.{name}").METHOD.name for name in names}
    assert found == set(METHODS)


def test_the_name_of_an_earlier_version_is_known() -> None:
    assert find_method("jointsae") is find_method("joint-sae") is METHODS["joint-sae"]
    assert get_method("jointsae").name == "joint-sae"


def test_trained_methods_are_those_with_a_module() -> None:
    trained = list_trained()
    assert get_trained_methods("all") == trained
    assert not {"nmf", "pca", "z", "excitation-bp", "grad-cam"} & {one.name for one in trained}
    with pytest.raises(ExplorerError, match=r"trains no module\. Choose among: srae, "):
        get_trained_methods("nmf")


def test_variants_are_applied_to_each_method() -> None:
    found = get_trained_methods("srae,nn", "epochs=5,epochs=6")
    assert [method.name for method in found] == [
        f"{name}-epochs{count}" for name in ("srae", "nn") for count in (5, 6)
    ]
