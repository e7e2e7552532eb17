"""The state of a fine-tuning, which can be saved after each epoch and restored."""

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
        The initial network.
    photos : TrainingPhotos
        The training photos.
    settings : FinetuneSettings
        Settings of the training.
    device : torch.device
        Device to train on.

    Attributes
    ----------
    network : nn.Module
        The network after the last step.
    history : list of dict
        Mean training loss and validation accuracy of each finished epoch.
    precision : Precision
        Precision of the computation.
    steps_per_epoch : int
        Number of batches.
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
        """Record the validation results of an epoch, and keep its weights if they are the best.

        Ties are broken by the loss. With random labels, the last weights are kept instead.
        """
        self.history.append({"train_loss": train_loss, "validation_accuracy": accuracy})
        if self._keeps_last or (accuracy, -loss) > self._best_key:
            self._best_key, self._best_epoch = (accuracy, -loss), self.epoch
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
            "history": self.history,
            "best": {"key": self._best_key, "epoch": self._best_epoch},
            "optimiser": optimiser["param_groups"],
            "schedule": self._schedule.state_dict(),
            "scaler": self.precision.scaler.state_dict(),
        }

    def load(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Restore the state that `dump` returned.

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


def _group_parameters(network: nn.Module) -> list[dict[str, Any]]:
    """Put the last layer in a group of its own, as its learning rate may differ."""
    head = list(find_head(network).layer.parameters())
    ids = {id(parameter) for parameter in head}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in ids]
    return [{"params": rest}, {"params": head}]


def select_tensors(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix`, without the prefix."""
    return {n.removeprefix(prefix): tensor for n, tensor in tensors.items() if n.startswith(prefix)}
