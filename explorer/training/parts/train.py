"""Training the part finder of a workspace."""

import copy
import os

import numpy as np

from explorer.config import ExplorerError, Steps
from explorer.data.augment import DEFAULT_AUGMENT
from explorer.nn.checkpoint import round_to_half
from explorer.nn.part_finder import choose_layer
from explorer.nn.part_finder_file import PartRecord, save_part_finder
from explorer.storage.writing import refuse_if_public, remove
from explorer.training.classifier.frozen import PhotoViews, compute_frozen_outputs
from explorer.training.classifier.precision import Precision
from explorer.training.parts.accuracy import find_all, measure_accuracy
from explorer.training.parts.fit import PartViews, fit_part_finder
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.targets import read_targets
from explorer.workspace.layout import PARTS_FILE, PARTS_FOLDER, WorkspaceError, check_inside
from explorer.workspace.workspace import Workspace

_VIEWS = 2  # the whole photo and its mirror image


def train_part_finder(
    workspace: Workspace, settings: PartSettings, *, force: bool = False
) -> Steps[PartRecord]:
    """Train, test and store the part finder of a workspace; return its record.

    The maps of the classifier are computed once, for each training photo and its mirror image, and
    for the held-out photos, on which the accuracy is measured. They are kept on the disk until the
    part finder is stored, so an interrupted run does not compute them again.

    Raises
    ------
    WorkspaceError
        When there is a part finder already and `force` is not set.
    ExplorerError
        When the data set has no parts, or too few photos.
    PublicError
        On a public server.
    """
    refuse_if_public()
    file, folder = workspace.path / PARTS_FILE, workspace.path / PARTS_FOLDER
    if os.path.lexists(file) and not force:
        raise WorkspaceError(f"{file} exists already. Replace it with --force.")
    check_inside(workspace.path, file)
    check_inside(workspace.path, folder)
    workspace.require_photos()
    dataset, held_out = workspace.dataset, {photo.image_id for photo in workspace.held_out}
    training = [photo for photo in dataset.present if photo.image_id not in held_out]
    tested = [photo for photo in dataset.present if photo.image_id in held_out]
    if not dataset.part_names or len(training) < 2 or not tested:
        raise ExplorerError(
            f"{dataset.root} cannot teach where parts are: it takes part names, two training "
            "photos and a held-out photo."
        )
    targets = read_targets(training)
    backbone, device = workspace.networks.backbone, workspace.networks.device
    layer, precision = choose_layer(backbone, settings.layer), Precision(settings.precision, device)
    count = backbone.get_stop(layer)
    # A copy, for the arrangement in memory may change, and the classifier is in use.
    layers = [precision.arrange(copy.deepcopy(one)) for one in list(backbone.layers)[:count]]
    views = PhotoViews(training, tested, _VIEWS, backbone.architecture, DEFAULT_AUGMENT, 0)
    outputs = yield from compute_frozen_outputs(folder, layers, [count], views, precision)
    maps = outputs[count]
    both = (targets, targets.mirror(dataset.part_names))
    finder = yield from fit_part_finder(PartViews(maps, both), settings, precision)
    if workspace.settings.half:
        round_to_half(finder)
    found = find_all(finder, maps, np.arange(views.first_validation, len(views)))
    record = PartRecord(
        layer=layer,
        backbone_sha256=backbone.sha256,
        part_names=dataset.part_names,
        shape=finder.shape,
        accuracy=measure_accuracy(found, read_targets(tested)),
    )
    save_part_finder(file, finder, record, half=workspace.settings.half)
    del maps, outputs  # mapped files cannot be removed everywhere
    remove(folder)
    return record
