"""Checks of the data set: its tables, its photos and the held-out photos."""

import os
from collections.abc import Generator

from PIL import Image

from explorer.config import ExplorerError, Progress
from explorer.data.cub_files import CURE, DatasetError
from explorer.data.painted.truth import load_truth
from explorer.data.photo import (
    PHOTO_FORMATS,
    Photo,
    check_geometry,
    explain_unreadable,
    load_photo,
)
from explorer.data.transforms import DECODING_ERRORS
from explorer.doctor.findings import Finding, Severity
from explorer.storage.reading import open_regular
from explorer.workspace.layout import SETTINGS_FILE
from explorer.workspace.workspace import Workspace

_READING, _DECODING = "Checking photos", "Decoding photos"


def examine_data_set(workspace: Workspace, findings: list[Finding]) -> bool:
    """Check the tables, without the photos; return whether the data set is unusable."""
    path = workspace.path / SETTINGS_FILE
    try:
        dataset = workspace.dataset
        _ = workspace.held_out
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, path, str(error)))
        return True
    findings += [
        Finding(Severity.NOTE, dataset.root, text)
        for text in dataset.warnings
        if "missing" not in text  # missing photos are reported one by one
    ]
    try:
        load_truth(dataset.root)
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, dataset.root, str(error)))
    return False


def examine_photos(
    workspace: Workspace, findings: list[Finding], *, decode: bool
) -> Generator[Progress, None, None]:
    """Check that every photo exists, can be read, and contains its bird's box."""
    if not workspace.dataset.has_photos:
        problem = "There are no photos, only tables. Pages show what was computed of them."
        findings.append(Finding(Severity.NOTE, workspace.dataset.root, problem))
        return
    photos, stage = workspace.dataset.photos, _DECODING if decode else _READING
    for done, photo in enumerate(photos, start=1):
        problem = _find_problem(photo, decode=decode)
        if problem:
            findings.append(Finding(Severity.ERROR, photo.path, problem))
        if done % 100 == 0 or done == len(photos):
            yield Progress(stage, done, len(photos))


def _find_problem(photo: Photo, *, decode: bool) -> str:
    try:
        with open_regular(photo.path) as file:
            if not os.fstat(file.fileno()).st_size:
                return f"The photo with id {photo.image_id} is empty. {CURE}"
            with Image.open(file, formats=PHOTO_FORMATS) as image:
                size = (image.height, image.width)
        check_geometry(photo, size)
        if decode:
            load_photo(photo)
    except FileNotFoundError:
        return f"The photo with id {photo.image_id} is missing. Restore it; the others can be used."
    except DatasetError as error:
        return str(error)
    except DECODING_ERRORS as error:
        reason = explain_unreadable(photo.path, error)
        return f"The photo with id {photo.image_id} cannot be read ({reason}). {CURE}"
    return ""
