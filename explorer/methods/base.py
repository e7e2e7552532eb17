"""Base classes of the methods: their description, and how they are prepared for a category."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from explorer.config import Steps
from explorer.nn.losses import ModuleSettings
from explorer.training.modules.settings import TrainingSettings

Array = NDArray[np.float32]

Draw = Callable[[Array, str], Array]
"""Computes maps (K, h, w), >= 0, from the normalised pixels of a photo, (3, H, W), and the name of
the layer at which they are taken; see `Backbone.stops`."""

DEFAULT_TRAINING = TrainingSettings()


@dataclass(frozen=True)
class PaperFigures:
    """A column of Table 1 of Qi & Li (2017), for 30 random categories of CUB with VGG19.

    Attributes
    ----------
    f_reg_train, f_reg_test : float or None
        In units of the logit.
    locality : float
        In nats.
    """

    f_reg_train: float | None
    f_reg_test: float | None
    locality: float


@dataclass(frozen=True, eq=False)
class Probe:
    """K linear components of Z, and the score as a weighted sum of them.

    Attributes
    ----------
    encoder : NDArray of float64
        (K, S_z), signed weights of each component.
    offset : NDArray of float64
        (K,), added to each component.
    v : NDArray of float64
        (K,), weight of each component in ȳ.
    intercept : float
        Added to the sum.
    is_clamped : bool
        Whether components are clamped at zero, as x-features are.
    """

    encoder: NDArray[np.float64]
    offset: NDArray[np.float64]
    v: NDArray[np.float64]
    intercept: float
    is_clamped: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """The output of a method for one category: K maps per photo, and the K activations explained.

    Attributes
    ----------
    draw : Draw
        Computes maps from pixels, at a layer.
    activate : callable
        Computes activations (M, K) from Z (M, S_z) and logits (M, C).
    v : NDArray of float or None
        (K,), weight of each activation in the score; None if they do not add up to a score.
    explain : callable or None
        Computes x-features (M, K) and ȳ (M,) from Z (M, S_z); None if the method has no ȳ.
    names : tuple of str
        Name of each activation, such as ``"component 2"``; empty if they are x-features.
    """

    draw: Draw
    activate: Callable[[Array, Array], Array]
    v: NDArray[np.floating] | None
    explain: Callable[[Array], tuple[Array, Array]] | None = None
    names: tuple[str, ...] = ()


class Case(Protocol):
    """A category to explain, with a seed; what methods can use to prepare themselves."""

    @property
    def category(self) -> str:
        """As in ``classes.txt``."""

    @property
    def seed(self) -> int:
        """Seed of the module and the split."""

    @property
    def index(self) -> int:
        """Index of the category among the logits."""

    def get_training_photos(self) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return Z (M, S_z), ŷ (M,) and whether each photo is of the category, (M,)."""

    def find_or_train(self, module: ModuleSettings, training: TrainingSettings) -> Steps[Source]:
        """Return the x-features of a module, which is trained if it does not exist."""

    def use_probe(self, probe: Probe) -> Source:
        """Return the components of a probe."""

    def draw_z(self, pixels: Array, dimensions: Sequence[int], stop: str) -> Array:
        """Draw c-MWP of single dimensions of Z."""

    def draw_logit(self, pixels: Array, stop: str) -> Array:
        """Draw c-MWP of the category's logit, (1, h, w)."""

    def draw_grad_cam(self, pixels: Array) -> Array:
        """Draw Grad-CAM of the category's logit, (1, h, w)."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A method of the comparison.

    Attributes
    ----------
    name : str
        Name on the command line and in files.
    title : str
        Name in tables and figures.
    colour : str
        Colour in figures, ``#rrggbb``.
    summary : str
        One sentence for users who choose a method.
    paper : PaperFigures or None
        Results in the paper.
    """

    name: str
    title: str
    colour: str
    summary: str
    paper: PaperFigures | None = None
    has_stored_maps: ClassVar[bool] = False
    """Whether `explorer.maps` stores the method's maps of the score with those of modules."""

    @abstractmethod
    def prepare(self, case: Case) -> Steps[Source]:
        """Prepare the method for a case."""

    def describe_maps(self, stop: str) -> str:
        """Say what the maps are when they are asked for at a layer, in words for a caption."""
        return f"c-MWP at {stop}"

    def describe(self) -> dict[str, Any]:
        """List everything that the method's results depend on, for a file."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ScoreMethod(Method):
    """A method that draws the classifier's own score and needs no module."""

    @abstractmethod
    def draw(self, case: Case, pixels: Array, stop: str) -> Array:
        """Draw the category's score for a photo at a layer, (1, h, w)."""

    def prepare(self, case: Case) -> Steps[Source]:
        """Return a source with a single map, whose activation is the score itself."""
        yield from ()
        index = case.index

        def draw(pixels: Array, stop: str) -> Array:
            return self.draw(case, pixels, stop)

        return Source(draw, lambda _, logits: np.asarray(logits)[:, [index]], np.ones(1))


@dataclass(frozen=True, kw_only=True)
class TrainedMethod(Method):
    """A method that trains an explanation module for each category.

    Attributes
    ----------
    settings : ModuleSettings
        Shape and loss of the module.
    training : TrainingSettings
        Settings of the training; the seed is replaced by that of the comparison.
    """

    settings: ModuleSettings
    training: TrainingSettings = DEFAULT_TRAINING

    def prepare(self, case: Case) -> Steps[Source]:
        """Load the module of a case, or train it."""
        return (yield from case.find_or_train(self.settings, self.training))

    def describe(self) -> dict[str, Any]:
        """List the settings of the module and the training."""
        return {"module": self.settings.describe(), "training": self.training.describe()}


@dataclass(frozen=True, kw_only=True)
class ProbeMethod(Method):
    """A method that fits K components of Z, and the score on them, in closed form.

    Attributes
    ----------
    components : int
        Number of components, K.
    """

    components: int = 5

    @abstractmethod
    def fit(self, z: Array, y_hat: Array, is_positive: NDArray[np.bool_], seed: int) -> Probe:
        """Fit the components on Z (M, S_z) and ŷ (M,) of the training photos."""

    def prepare(self, case: Case) -> Steps[Source]:
        """Fit the components on the training photos of a case."""
        yield from ()
        probe = self.fit(*case.get_training_photos(), case.seed)
        names = tuple(f"component {number}" for number in range(1, len(probe.v) + 1))
        return replace(case.use_probe(probe), names=names)

    def describe(self) -> dict[str, Any]:
        """List the number of components."""
        return {"components": self.components}
