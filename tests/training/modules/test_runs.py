import pytest

from explorer.methods.joint_sae import JointSaeSettings
from explorer.methods.nn import NnSettings
from explorer.methods.srae import SraeSettings
from explorer.nn.losses import ModuleSettings
from explorer.training.modules.runs import list_run_names, name_run
from explorer.training.modules.settings import TrainingSettings


@pytest.mark.parametrize(
    ("module", "training", "name"),
    [
        (SraeSettings(), TrainingSettings(), "srae-k5-s0"),
        (NnSettings(x_features=8), TrainingSettings(seed=12), "nn-k8-s12"),
        (
            SraeSettings(beta=3.0, widths=(800, 100)),
            TrainingSettings(),
            "srae-k5-s0-widths800x100-beta3.0",
        ),
        (
            SraeSettings(pull_away=0.5),
            TrainingSettings(learning_rate=1e-5, pretrain_epochs=0),
            "srae-k5-s0-pull_away0.5-pretrain_epochs0-learning_rate1e-05",
        ),
    ],
)
def test_runs_are_named_by_settings_that_are_not_default(
    module: ModuleSettings, training: TrainingSettings, name: str
) -> None:
    assert name_run(module, training) == name
    assert list_run_names(module, training) == (name,)


def test_names_of_earlier_versions_are_known() -> None:
    names = list_run_names(JointSaeSettings(beta=3.0), TrainingSettings(seed=1))
    assert names == ("joint-sae-k5-s1-beta3.0", "jointsae-k5-s1-beta3.0")
