"""The state of a fine-tuning: what an epoch changes, and what a snapshot of it holds."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from explorer.config import ExplorerError
from explorer.nn.backbones.build import find_head
from explorer.training.classifier.photos import TrainingPhotos
from explorer.training.classifier.precision import Precision
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.starts import Start, fork_random_state


class FinetuneRun:
    """A classifier in training.

    Parameters
    ----------
    start : Start
        What it begins with.
    photos : TrainingPhotos
        What it learns from.
    settings : FinetuneSettings
        How.
    device : torch.device
        Where.

    Attributes
    ----------
    network : nn.Module
        As it is after the last step.
    history : list of dict
        For every epoch that is over its mean training loss and validation accuracy.
    precision : Precision
        In which it computes.
    steps_per_epoch : int
        Batches.
    """

    def __init__(
        self,
        start: Start,
        photos: TrainingPhotos,
        settings: FinetuneSettings,
        device: torch.device,
    ) -> None:
        self.network: nn.Module = start.network.to(device)
        self.history: list[dict[str, float]] = []
        self.precision = Precision(settings.precision, device)
        self._device = device
        self._photos = photos
        self._smoothing = settings.label_smoothing
        self._keeps_last = settings.random_labels
        self._order = torch.Generator().manual_seed(settings.seed)
        self._dropout = torch.Generator().manual_seed(settings.seed)
        self._loader = DataLoader(
            photos,
            batch_size=settings.batch_size,
            shuffle=True,
            drop_last=len(photos) > settings.batch_size,
            num_workers=settings.workers,
            generator=self._order,
            pin_memory=device.type == "cuda",
        )
        self.steps_per_epoch = len(self._loader)
        factor = settings.get_head_factor(is_fresh=start.has_fresh_head)
        self._optimiser = torch.optim.AdamW(
            _group_parameters(self.network), weight_decay=settings.weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            [settings.peak_rate, settings.peak_rate * factor],
            total_steps=settings.epochs * self.steps_per_epoch,
            pct_start=settings.rise,
        )
        self._best: dict[str, Tensor] = {}
        self._best_key = (-1.0, -math.inf)
        self._best_epoch = 0

    @property
    def epoch(self) -> int:
        """Epochs that are over."""
        return len(self.history)

    @property
    def best_accuracy(self) -> float:
        """Validation accuracy, in [0, 1], of the epoch whose weights are kept."""
        return self._best_key[0]

    def train_epoch(self) -> Iterator[float]:
        """Run one epoch, its dropout seeded; yield the mean loss so far after every step."""
        self._photos.epoch = self.epoch
        self.network.train()
        loss_sum = 0.0
        for step, (images, labels) in enumerate(self._loader, start=1):
            seed = int(torch.randint(2**62, (), generator=self._dropout))
            with fork_random_state(self._device, seed), self.precision.autocast():
                logits = self.network(images.to(self._device, non_blocking=True))
                loss = nn.functional.cross_entropy(
                    logits.float(), labels.to(self._device), label_smoothing=self._smoothing
                )
            loss_sum += float(loss.detach())
            if not math.isfinite(loss_sum):
                raise ExplorerError("The loss is no longer finite. Lower --learning-rate.")
            if self.precision.step(loss, self._optimiser):
                self._schedule.step()
            yield loss_sum / step

    def finish_epoch(self, train_loss: float, accuracy: float, loss: float) -> None:
        """Note what an epoch has reached on the validation photos, and keep the best weights.

        Ties go to the lower loss. With random labels none is better: the last weights are kept.
        """
        self.history.append({"train_loss": train_loss, "validation_accuracy": accuracy})
        if self._keeps_last or (accuracy, -loss) > self._best_key:
            self._best_key, self._best_epoch = (accuracy, -loss), self.epoch
            # On the CPU: a large network's card has better things to hold.
            state = self.network.state_dict()
            self._best = {name: t.detach().to("cpu", copy=True) for name, t in state.items()}

    def restore_best(self) -> None:
        """Put the weights of the best epoch back into the network."""
        self.network.load_state_dict(self._best)

    def dump(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that the epochs to come depend on: tensors by name, and JSON-ready values."""
        optimiser = self._optimiser.state_dict()
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        if self._best_epoch != self.epoch:  # or it would be stored twice
            tensors |= {f"best.{name}": tensor for name, tensor in self._best.items()}
        for index, state in optimiser["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in state.items()}
        tensors["random.order"] = self._order.get_state()
        tensors["random.dropout"] = self._dropout.get_state()
        return tensors, {
            "history": self.history,
            "best": {"key": self._best_key, "epoch": self._best_epoch},
            "optimiser": optimiser["param_groups"],
            "schedule": self._schedule.state_dict(),
            "scaler": self.precision.scaler.state_dict(),
        }

    def load(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take up what `dump` returned, so that training goes on as if it had never stopped.

        Raises
        ------
        KeyError, TypeError, ValueError, RuntimeError
            When it comes from a run of other settings, or is incomplete.
        """
        self.network.load_state_dict(select_tensors(tensors, "network."))
        self._best = select_tensors(tensors, "best.") or select_tensors(tensors, "network.")
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in select_tensors(tensors, "optimiser.").items():
            index, field = name.split(".")
            states.setdefault(int(index), {})[field] = tensor
        # JSON knows lists, not tuples.
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


def _group_parameters(network: nn.Module) -> list[dict[str, Any]]:
    """Set the last layer apart from all others: it may learn at another rate."""
    head = list(find_head(network).layer.parameters())
    ids = {id(parameter) for parameter in head}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in ids]
    return [{"params": rest}, {"params": head}]


def select_tensors(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, which is taken off."""
    return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}
