"""The sanity checks of Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018).

An explanation of a network must depend on what the network has learnt. The same comparison is run
on a network with random weights (their section 3) and on one trained on random labels (section 4).
What a method still achieves there comes from the picture, not from the network.
"""

from collections.abc import Generator
from dataclasses import replace

from explorer.config import Progress
from explorer.data.augment import AugmentSettings
from explorer.engines.tasks import Engine, run_locally
from explorer.evaluation.compare import compare_methods, get_record_file
from explorer.evaluation.records import Record
from explorer.evaluation.repeatability import load_trace, measure_repeatability
from explorer.evaluation.sanity_results import CONDITIONS, TRAINED
from explorer.evaluation.settings import EvaluationSettings
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.starts import build_random_backbone
from explorer.training.classifier.train import train_classifier
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import SANITY_FOLDER, SETTINGS_FILE, check_inside
from explorer.workspace.workspace import Workspace

# Without augmentation, so that the network can memorise the photos.
_RANDOM_LABELS = FinetuneSettings(
    epochs=40,
    random_labels=True,
    label_smoothing=0.0,
    precision="full",
    augment=AugmentSettings(
        min_zoom=1.0,
        max_stretch=1.0,
        min_box_fraction=1.0,
        flip_probability=0.0,
        brightness=0.0,
        contrast=0.0,
        colour=0.0,
    ),
)


def check_sanity(
    workspace: Workspace,
    settings: EvaluationSettings,
    epochs: int = _RANDOM_LABELS.epochs,
    engine: Engine = run_locally,
) -> Generator[Progress, None, list[Record]]:
    """Run the comparison on the classifier and on both randomised ones.

    Each randomised network is made once and stored in a workspace of its own within the workspace.
    As with the comparison, an interrupted run continues where it stopped.

    Parameters
    ----------
    workspace : Workspace
        A workspace with a trained classifier.
    settings : EvaluationSettings
        What to compare.
    epochs : int
        Epochs of the training on random labels.
    engine : Engine
        Runs the comparisons; see `compare_methods`.

    Returns
    -------
    list of dict
        Records from `compare_methods`, with ``condition``, a key of `CONDITIONS`, and for the
        randomised networks ``similar_activation`` and ``similar_map``, the results of
        `measure_repeatability` with the trained network.
    """
    found: list[Record] = []
    for condition in CONDITIONS:
        other = workspace
        if condition != TRAINED:
            other = yield from _open_randomised(workspace, condition, epochs)
        records = yield from compare_methods(other, settings, engine)
        for record in records:
            similar = _compare_traces(workspace, other, record) if condition != TRAINED else {}
            measures = record["measures"] | similar
            found.append(record | {"condition": condition, "measures": measures})
    return found


def _open_randomised(
    workspace: Workspace, condition: str, epochs: int
) -> Generator[Progress, None, Workspace]:
    folder = workspace.path / SANITY_FOLDER / condition
    check_inside(workspace.path, folder)
    if not (folder / SETTINGS_FILE).exists():
        dataset = str(workspace.dataset.root.resolve())
        settings = replace(workspace.settings, dataset=dataset, classifier_sha256="", half=False)
        create_workspace(folder, settings)
    randomised = Workspace(folder, str(workspace.networks.device))
    if not randomised.settings.classifier_sha256:
        if condition == "random-weights":
            plain = build_random_backbone(
                randomised.settings.architecture, randomised.dataset.categories, seed=0
            )
            backbone = replace(plain, z_layer=randomised.settings.z_layer)
            randomised.networks.install_classifier(backbone, {"random_weights": True})
        else:
            yield from train_classifier(randomised, replace(_RANDOM_LABELS, epochs=epochs))
    return randomised


def _compare_traces(workspace: Workspace, other: Workspace, record: Record) -> dict[str, float]:
    files = [
        get_record_file(path, record["method"], record["category"], record["seed"], "npz")
        for path in (workspace.path, other.path)
    ]
    if not all(file.is_file() for file in files):
        return {}
    similar = measure_repeatability([load_trace(file) for file in files])[0]
    return {
        name.replace("repeat", "similar"): value
        for name, value in similar.items()
        if value is not None
    }
