"""The state of a fine-tuning, which can be saved after each epoch and restored."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from explorer.config import ExplorerError
from explorer.nn.backbones.build import find_head
from explorer.nn.backbones.residual import list_layers
from explorer.training.classifier.frozen import FrozenPhotos
from explorer.training.classifier.photos import Accuracy, TrainingPhotos, measure_accuracy
from explorer.training.classifier.precision import Precision
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.stages import Stage
from explorer.training.classifier.starts import Start, fork_random_state

Examples = TrainingPhotos | FrozenPhotos
"""Photos, or the output of frozen layers, with a random view of each in every epoch."""


class FinetuneRun:
    """A classifier in training.

    Training goes in stages; `begin_stage` comes before the first epoch of each.

    Parameters
    ----------
    start : Start
        The initial network.
    settings : FinetuneSettings
        Settings of the training.
    device : torch.device
        Device to train on.

    Attributes
    ----------
    network : nn.Module
        The network after the last step.
    layers : tuple of nn.Module
        Its layers from pixels to logits, in order.
    history : list of dict
        Mean training loss and validation accuracy of each finished epoch.
    precision : Precision
        Precision of the computation.
    fresh : tuple of str
        Names of the layers that were new in the first stage.
    stage : int
        Number of the stage, from 0.
    steps_per_epoch : int
        Number of batches in this stage.
    """

    def __init__(self, start: Start, settings: FinetuneSettings, device: torch.device) -> None:
        self.precision = Precision(settings.precision, device)
        self.network = self.precision.arrange(start.network.to(device))
        self.layers = tuple(list_layers(self.network))
        self.history: list[dict[str, float]] = []
        self.stage = -1
        self.steps_per_epoch = 0
        self._settings = settings
        self.fresh = start.fresh
        self.notes = start.notes
        self._used: nn.Module = self.network
        self._frozen: Sequence[nn.Module] = ()
        self._best: dict[str, Tensor] = {}
        self._best_key = (-1.0, -math.inf)
        self._best_epoch = 0

    def begin_stage(self, number: int, stage: Stage, photos: Examples) -> None:
        """Begin to train the layers above those that a stage freezes.

        Parameters
        ----------
        number : int
            Number of the stage, from 0. Layers are new only in the first.
        stage : Stage
            Which layers to train, for how long, and at which rate.
        photos : Examples
            What to train on: photos, or the output of the frozen layers.
        """
        settings, seed = self._settings, self._settings.seed + number
        fresh = self.fresh if number == 0 else ()
        self.stage = number
        self._frozen = self.layers[: stage.frozen]
        for position, layer in enumerate(self.layers):
            layer.requires_grad_(position >= stage.frozen)
        is_above = isinstance(photos, FrozenPhotos)
        self._used = nn.Sequential(*self.layers[stage.frozen :]) if is_above else self.network
        self._photos = photos
        self._order = torch.Generator().manual_seed(seed)
        self._dropout = torch.Generator().manual_seed(seed)
        self._loader = DataLoader(
            photos,
            batch_size=settings.batch_size,
            shuffle=True,
            drop_last=len(photos) > settings.batch_size,
            num_workers=settings.workers,
            generator=self._order,
            pin_memory=self.precision.device.type == "cuda",
        )
        self.steps_per_epoch = len(self._loader)
        factor = settings.get_head_factor(is_fresh=bool(fresh))
        self._optimiser = torch.optim.AdamW(
            self._group_parameters(fresh), weight_decay=settings.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            [stage.rate, stage.rate * factor],
            total_steps=stage.epochs * self.steps_per_epoch,
            pct_start=settings.rise,
        )

    def _group_parameters(self, fresh: Sequence[str]) -> list[dict[str, Any]]:
        """Put new layers, or else the last one, in a group with another learning rate."""
        special = fresh or (find_head(self.network).name,)
        own = [p for name in special for p in self.network.get_submodule(name).parameters()]
        ids = {id(parameter) for parameter in own}
        rest = [p for p in self.network.parameters() if p.requires_grad and id(p) not in ids]
        return [{"params": rest}, {"params": own}]

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def best_accuracy(self) -> float:
        """Validation accuracy, in [0, 1], of the best epoch."""
        return self._best_key[0]

    def train_epoch(self) -> Iterator[float]:
        """Train for one epoch with seeded dropout; yield the mean loss so far after each step."""
        self._photos.epoch = self.epoch
        self.network.train()
        for layer in self._frozen:
            layer.eval()
        loss_sum = 0.0
        for step, (images, labels) in enumerate(self._loader, start=1):
            seed = int(torch.randint(2**62, (), generator=self._dropout))
            with fork_random_state(self.precision.device, seed), self.precision.autocast():
                inputs = images.to(self.precision.device, non_blocking=True)
                logits = self._used(self.precision.arrange_images(inputs))
                loss = nn.functional.cross_entropy(
                    logits.float(),
                    labels.to(self.precision.device),
                    label_smoothing=self._settings.label_smoothing,
                )
            loss_sum += float(loss.detach())
            if not math.isfinite(loss_sum):
                raise ExplorerError("The loss is no longer finite. Lower --learning-rate.")
            if self.precision.step(loss, self._optimiser):
                self._schedule.step()
            yield loss_sum / step

    def measure(self, photos: Dataset[tuple[Tensor, int]]) -> Accuracy:
        """Measure the accuracy on photos in the form that this stage is trained on."""
        return measure_accuracy(self._used, photos, self.precision)

    def finish_epoch(self, train_loss: float, measured: Accuracy) -> None:
        """Record the validation results of an epoch, and keep its weights if they are the best.

        Ties are broken by the loss. With random labels, the last weights are kept instead.
        """
        self.history.append({"train_loss": train_loss, "validation_accuracy": measured.top1})
        key = (measured.top1, -measured.loss)
        if self._settings.random_labels or key > self._best_key:
            self._best_key, self._best_epoch = key, self.epoch
            # On the CPU, to save the memory of the device.
            state = self.network.state_dict()
            self._best = {name: t.detach().to("cpu", copy=True) for name, t in state.items()}

    def restore_best(self) -> None:
        """Load the weights of the best epoch into the network."""
        self.network.load_state_dict(self._best)

    def dump(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the complete state as tensors by name and JSON-serialisable values."""
        optimiser = self._optimiser.state_dict()
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        if self._best_epoch != self.epoch:  # or it would be stored twice
            tensors |= {f"best.{name}": tensor for name, tensor in self._best.items()}
        for index, state in optimiser["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in state.items()}
        tensors["random.order"] = self._order.get_state()
        tensors["random.dropout"] = self._dropout.get_state()
        return tensors, {
            "stage": self.stage,
            "fresh": self.fresh,
            "notes": self.notes,
            "history": self.history,
            "best": {"key": self._best_key, "epoch": self._best_epoch},
            "optimiser": optimiser["param_groups"],
            "schedule": self._schedule.state_dict(),
            "scaler": self.precision.scaler.state_dict(),
        }

    def load(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Restore the state that `dump` returned, after `begin_stage` of the same stage.

        Raises
        ------
        KeyError, TypeError, ValueError, RuntimeError
            When it belongs to other settings or is incomplete.
        """
        self.network.load_state_dict(select_tensors(tensors, "network."))
        self._best = select_tensors(tensors, "best.") or select_tensors(tensors, "network.")
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in select_tensors(tensors, "optimiser.").items():
            index, field = name.split(".")
            states.setdefault(int(index), {})[field] = tensor
        # JSON has lists instead of tuples.
        groups = [{**group, "betas": tuple(group["betas"])} for group in values["optimiser"]]
        self._optimiser.load_state_dict({"state": states, "param_groups": groups})
        self._schedule.load_state_dict(dict(values["schedule"]))
        self.precision.scaler.load_state_dict(dict(values["scaler"]))
        self._order.set_state(tensors["random.order"])
        self._dropout.set_state(tensors["random.dropout"])
        accuracy, negative_loss = values["best"]["key"]
        self._best_key = (float(accuracy), float(negative_loss))
        self._best_epoch = int(values["best"]["epoch"])
        self.history = [dict(epoch) for epoch in values["history"]]


def select_tensors(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix`, without the prefix."""
    return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}
