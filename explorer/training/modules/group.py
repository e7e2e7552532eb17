"""A group of modules that are trained together, and the loop over batches that trains them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from explorer.nn.grouped import ModuleGroup
from explorer.nn.guide import Guide
from explorer.nn.losses import ModuleSettings
from explorer.nn.srae import ExplanationModule
from explorer.training.modules.rows import (
    CategoryPhotos,
    GroupRows,
    compute_shares,
    draw_order,
)
from explorer.training.modules.settings import TrainingSettings

CHUNK_ROWS = 512
_GUIDING_PHOTOS = 8  # per step

Terms = dict[str, Tensor]
"""Terms of a loss by name; values of all members, (G,)."""

# From columns of the training photos, (G, B), and their weights in the mean.
ComputeTerms = Callable[[Tensor, Tensor | None], Terms]
# From columns of the training photos, (G, B), to the inputs of a layer, (G, B, size).
Read = Callable[[Tensor], Tensor]


def sum_terms(terms: Terms) -> Tensor:
    """Sum the terms of a loss: (G,)."""
    first, *others = terms.values()
    return sum(others, first)


class TrainingGroup:
    """G modules of different categories that are trained together; finished ones can leave.

    Each member has its own photos and its own random generator, so that it learns the same as if it
    were trained alone.

    Parameters
    ----------
    z : Tensor
        (N, S_z) float32, >= 0. Shared by all members and never copied as a whole. It may be memory
        mapped on the CPU even if the members are on another device.
    members : sequence of CategoryPhotos
        Not empty. All must have the same number of training batches.
    module_settings, settings
        Settings of the modules and of the training, the same for all members.

    Attributes
    ----------
    loss : ModuleSettings
        Loss of the training.
    module : ModuleGroup
        The modules, on the device of the members.
    train, test, validation : GroupRows
        Photos of the remaining members.
    places : list of int
        Positions of the remaining members among the original `members`.
    own : list of OwnPhotos
        Photos that guide the loss of the remaining members; empty if it needs no guide.

    Raises
    ------
    ValueError
        When the numbers of batches differ.
    """

    def __init__(
        self,
        z: Tensor,
        members: Sequence[CategoryPhotos],
        module_settings: ModuleSettings,
        settings: TrainingSettings,
    ) -> None:
        if len({count_batches(photos, settings.batch_size) for photos in members}) != 1:
            raise ValueError("The members of a group must have the same number of batches.")
        scores = [photos.y_hat for photos in members]
        self.device = members[0].train.device
        self.settings = settings
        self.places = list(range(len(members)))
        self.train = GroupRows.stack([photos.train for photos in members], scores)
        self.test = GroupRows.stack([photos.test for photos in members], scores)
        self.validation = GroupRows.stack([photos.validation for photos in members], scores)
        self._generators = [torch.Generator().manual_seed(settings.seed) for _ in members]
        self.loss = module_settings
        self.own = [photos.own for photos in members if photos.own is not None]
        self._positives = [photos.train_positives for photos in members]
        self.module = ModuleGroup(
            [ExplanationModule(z.shape[1], module_settings, each) for each in self._generators]
        ).to(self.device)
        self._z = z
        self._optimiser: torch.optim.Adam | None = None

    def fit(
        self, parameters: Iterable[nn.Parameter], compute_terms: ComputeTerms, epochs: int
    ) -> Iterator[Terms]:
        """Train with Adam; after each epoch, yield the mean of each loss term over the batches."""
        own = self.settings
        self._optimiser = torch.optim.Adam(
            parameters, lr=own.learning_rate, weight_decay=own.weight_decay, fused=True
        )
        batches = -(-max(self.train.counts) // own.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, epochs * batches)
        for _ in range(epochs):
            sums: Terms = {}
            for columns, shares in self._draw_batches():
                terms = compute_terms(columns, shares)
                self._optimiser.zero_grad()
                sum_terms(terms).sum().backward()
                self._optimiser.step()
                schedule.step()
                sums = {name: sums.get(name, 0) + term.detach() for name, term in terms.items()}
                del terms  # the graph refers to the sizes of weights, which `keep` may change
            yield {name: term / batches for name, term in sums.items()}

    def _draw_batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Shuffle each member's photos; yield columns of `train`, (G, B), and their weights."""
        counts, size = self.train.counts, self.settings.batch_size
        order = torch.zeros(len(counts), max(counts), dtype=torch.int64)
        share = self.loss.least_positive_share
        for row, count, positives, generator in zip(
            order, counts, self._positives, self._generators, strict=True
        ):
            row[:count] = draw_order(count, positives, size, share, generator)
        for batch, columns in enumerate(order.to(self.device).split(size, dim=1)):
            sizes = [min(size, count - batch * size) for count in counts]
            yield columns, compute_shares(sizes, self.device)

    def get_positives(self, member: int) -> Tensor:
        """Return whether each training photo of a member is of its category, (M,) bool."""
        is_positive = torch.zeros(self.train.counts[member], dtype=torch.bool, device=self.device)
        is_positive[self._positives[member]] = True
        return is_positive

    def draw_guide(self) -> Guide | None:
        """Draw a few of each member's own photos to guide the loss; None if it needs no guide."""
        if not self.own:
            return None
        chosen = [
            torch.randint(len(own.rows), (_GUIDING_PHOTOS,), generator=generator)
            for own, generator in zip(self.own, self._generators, strict=True)
        ]
        pairs = [*zip(self.own, chosen, strict=True)]
        rows = torch.stack([own.rows[places] for own, places in pairs])
        z_maps = torch.stack([own.z_maps[places] for own, places in pairs])
        evidence, signals = (
            torch.stack([getattr(own, name) for own in self.own]).to(self.device)
            for name in ("evidence", "signals")
        )
        return Guide(self.take_z(rows), z_maps.to(self.device), evidence, signals)

    def take_z(self, rows: Tensor) -> Tensor:
        """Copy rows of Z, (...), to the device of the members: (..., S_z)."""
        return self._z[rows.to(self._z.device)].to(self.device)

    def read_z(self, columns: Tensor) -> Tensor:
        """Return Z of training photos in columns (G, B): (G, B, S_z)."""
        return self.take_z(self.train.rows.gather(1, columns))

    def read_y_hat(self, columns: Tensor) -> Tensor:
        """Return ŷ of training photos in columns (G, B): (G, B)."""
        return self.train.y_hat.gather(1, columns)

    @torch.no_grad()
    def compute_on_training(self, layer: nn.Module, read: Read) -> Tensor:
        """Apply a layer to its inputs from `read` for all training photos: (G, M, outputs)."""
        columns = torch.arange(max(self.train.counts), device=self.device)
        columns = columns.expand(len(self.places), -1)
        parts = [layer(read(part)) for part in columns.split(CHUNK_ROWS, dim=1)]
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def compute_x_features(self, photos: GroupRows) -> Tensor:
        """Compute the x-features of each member's photos: (G, M, K)."""
        parts = photos.rows.split(CHUNK_ROWS, dim=1)
        return torch.cat([self.module.encoder(self.take_z(part)) for part in parts], dim=1)

    @torch.no_grad()
    def compute_f_reg(self, x_features: Tensor, photos: GroupRows) -> Tensor:
        """Compute F_reg of each member, the mean of |ȳ − ŷ| in units of the logit: (G,)."""
        gaps = (self.module.v(x_features).squeeze(-1) - photos.y_hat).abs()
        shares = photos.compute_shares()
        f_reg: Tensor = gaps.mean(dim=1) if shares is None else (shares * gaps).sum(dim=1)
        return f_reg

    def keep(self, members: Sequence[int]) -> None:
        """Keep some of the members, given by their current positions, and remove the others."""
        if len(members) == len(self.places):
            return
        self.places = [self.places[member] for member in members]
        self._generators = [self._generators[member] for member in members]
        self._positives = [self._positives[member] for member in members]
        self.own = [self.own[member] for member in members] if self.own else []
        self.train, self.test, self.validation = (
            photos.keep(members) for photos in (self.train, self.test, self.validation)
        )
        for parameter in self.module.parameters():
            parameter.grad = None
            parameter.data = parameter.data[members]
            state = self._optimiser.state.get(parameter, {}) if self._optimiser else {}
            for name in ("exp_avg", "exp_avg_sq"):
                if name in state:
                    state[name] = state[name][members]


def count_batches(photos: CategoryPhotos, batch_size: int) -> int:
    """Return the number of batches in an epoch over a category's training photos."""
    return -(-len(photos.train) // batch_size)
