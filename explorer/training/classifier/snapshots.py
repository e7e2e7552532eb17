"""Snapshots of an unfinished fine-tuning, from which it can be continued. Without pickle."""

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from explorer.config import ExplorerError
from explorer.data.photo import Photo
from explorer.nn.backbones.build import build_network_from_weights
from explorer.nn.records import CheckpointError, load_weights_header
from explorer.storage.writing import stage_file
from explorer.training.classifier.photos import describe_photos
from explorer.training.classifier.run import FinetuneRun, select_tensors
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.starts import Start

_FORMAT = 2
_KEY = "srae_explorer_finetuning"
_MAX_VALUES = 2**31  # the network, its best weights, and two moments of each
_DAMAGED = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
)
_WITHOUT_EFFECT = ("workers", "half")  # on the training


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A snapshot of an unfinished run.

    Attributes
    ----------
    path : Path
        The file.
    tensors, values : dict
        State of the run, from `FinetuneRun.dump`.
    """

    path: Path
    tensors: dict[str, Tensor]
    values: dict[str, Any]

    def build_start(self, architecture: str) -> Start:
        """Build the network from the snapshot, without loading its original initial weights."""
        weights = select_tensors(self.tensors, "network.")
        try:
            network = build_network_from_weights(architecture, weights)
            # A snapshot of an earlier version has no notes.
            fresh, notes = self.values["fresh"], self.values.get("notes", ())
            return Start(network, tuple(map(str, fresh)), tuple(map(str, notes)))
        except (ExplorerError, *_DAMAGED) as error:
            raise _make_damage_error(self.path, error) from error

    def get_stage(self, count: int) -> int:
        """Return the number of the stage, from 0, that it was written in, out of `count`."""
        stage = self.values.get("stage")
        if not isinstance(stage, int) or stage not in range(count):
            raise _make_damage_error(self.path, ValueError(f"it has no stage {stage!r}"))
        return stage

    def restore(self, run: FinetuneRun) -> None:
        """Restore the stored state to a new run."""
        try:
            run.load(self.tensors, self.values)
        except torch.OutOfMemoryError:
            raise
        except (*_DAMAGED, RuntimeError) as error:
            raise _make_damage_error(self.path, error) from error


def describe_run(
    settings: FinetuneSettings,
    categories: Sequence[str],
    training: Sequence[Photo],
    validation: Sequence[Photo],
) -> dict[str, Any]:
    """Describe everything that determines a run. A run may continue one with equal description.

    Returns
    -------
    dict
        With values as they are after a round trip through JSON.
    """
    sides = [describe_photos(side) for side in (training, validation)]
    photos = json.dumps([list(categories), *sides]).encode()
    described = {n: v for n, v in asdict(settings).items() if n not in _WITHOUT_EFFECT}
    described["photos"] = hashlib.sha256(photos).hexdigest()
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def save_snapshot(path: Path, run: FinetuneRun, description: Mapping[str, Any]) -> None:
    """Write the state of `run` after an epoch, atomically."""
    tensors, values = run.dump()
    stored = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    header = {"format": _FORMAT, "description": dict(description), "values": values}
    with stage_file(path) as temporary:
        try:
            save_file(stored, temporary, {_KEY: json.dumps(header)})
        except (
            SafetensorError
        ) as error:  # raised instead of OSError, for example if the disk is full
            code = re.search(r"os error (\d+)", str(error))
            number = int(code[1]) if code else errno.EIO
            raise OSError(number, os.strerror(number)) from error


def load_snapshot(path: Path, description: Mapping[str, Any]) -> Snapshot:
    """Read the snapshot of a run with this description.

    Raises
    ------
    ExplorerError
        When the file is damaged or belongs to a run with another description.
    """
    try:
        found = load_weights_header(path, _MAX_VALUES)
        with safe_open(path, framework="pt") as file:
            header = json.loads(found.metadata[_KEY])
            _check_header(path, header, description)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Snapshot(path, tensors, dict(header["values"]))
    except (SafetensorError, CheckpointError, OSError, *_DAMAGED) as error:
        raise _make_damage_error(path, error) from error


def _check_header(path: Path, header: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if header["format"] > _FORMAT:
        raise ExplorerError(
            f"{path} was written by a newer version. Update the explorer, or discard the file with "
            "--restart."
        )
    found = header["description"]
    for name, value in wanted.items():
        if found.get(name) == value:
            continue
        difference = f"with {name.replace('_', ' ')} {found.get(name)!r}, not {value!r}"
        if name == "photos":
            difference = "on other photos"
        raise ExplorerError(
            f"{path} holds an unfinished fine-tuning {difference}. Use the same options to "
            "continue it, or discard it with --restart."
        )


def _make_damage_error(path: Path, error: Exception) -> ExplorerError:
    reason = " ".join(str(error).split())
    return ExplorerError(
        f"{path}, which holds an unfinished fine-tuning, is damaged ({reason}). Discard it with "
        "--restart."
    )
