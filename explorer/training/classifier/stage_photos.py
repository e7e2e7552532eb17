"""The photos of each stage of fine-tuning, as pixels or as the output of frozen layers."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from explorer.config import Steps
from explorer.data.photo import Photo
from explorer.nn.backbones.registry import get_architecture
from explorer.storage.writing import remove
from explorer.training.classifier.frozen import (
    FrozenPhotos,
    FrozenValidation,
    PhotoViews,
    choose_views,
    compute_frozen_outputs,
    count_output_bytes,
)
from explorer.training.classifier.photos import TrainingPhotos, WholePhotos
from explorer.training.classifier.run import Examples, FinetuneRun
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.stages import Stage
from explorer.workspace.layout import FINETUNING_FOLDER


class StagePhotos:
    """The photos of each stage: augmented ones, or the output of frozen layers."""

    def __init__(
        self,
        training: Sequence[Photo],
        validation: Sequence[Photo],
        settings: FinetuneSettings,
        stages: Sequence[Stage],
        snapshot: Path | None,
    ) -> None:
        self._training = training
        self._validation = validation
        self._settings = settings
        self._stages = stages
        self._folder = None if snapshot is None else snapshot.with_name(FINETUNING_FOLDER)
        self._architecture = get_architecture(settings.architecture)
        self._limit = int(settings.cache_gigabytes * 1e9)

    def prepare(
        self, run: FinetuneRun, number: int
    ) -> Steps[tuple[Examples, Dataset[tuple[Tensor, int]]]]:
        """Return what to train a stage on, and the validation photos in the same form."""
        settings, arch, stage = self._settings, self._architecture, self._stages[number]
        row_bytes, kept = self._choose_kept(run)
        if stage.frozen not in kept:
            training = TrainingPhotos(self._training, arch, settings.augment, settings.seed)
            return training, WholePhotos(self._validation, arch)
        if self._folder is None:
            raise ValueError("Stages with frozen layers need a snapshot.")
        # The layers that an earlier stage has trained are no longer frozen.
        needed = [count for count in kept if count <= stage.frozen]
        views = PhotoViews(
            self._training,
            self._validation,
            choose_views(
                settings.views,
                row_bytes,
                len(self._training),
                len(self._validation),
                self._limit,
            ),
            arch,
            settings.augment,
            settings.seed,
        )
        outputs = yield from compute_frozen_outputs(
            self._folder, run.layers, needed, views, run.precision
        )
        found = outputs[stage.frozen]
        return FrozenPhotos(found, views), FrozenValidation(found, views)

    def _choose_kept(self, run: FinetuneRun) -> tuple[int, list[int]]:
        """Choose the frozen layers whose output is kept, the last ones first, as far as they fit.

        Output that does not fit is computed for each batch.
        """
        total = 0
        kept: list[int] = []
        for count in (stage.frozen for stage in self._stages if stage.frozen):
            more = total + count_output_bytes(run.layers, count, self._architecture)
            if choose_views(2, more, len(self._training), len(self._validation), self._limit) < 2:
                break
            total = more
            kept.append(count)
        return total, kept

    def remove_unused(self, photos: Examples) -> None:
        """Remove the output of frozen layers when a stage begins that is trained on photos."""
        if self._folder is not None and not isinstance(photos, FrozenPhotos):
            remove(self._folder)
