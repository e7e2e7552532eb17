"""What a method is: its name and looks, and what it makes ready on a case of the comparison."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from explorer.config import Steps
from explorer.nn.losses import ModuleSettings
from explorer.training.modules.settings import TrainingSettings

if TYPE_CHECKING:
    from explorer.nn.probe import LinearProbe
    from explorer.nn.srae import ExplanationModule

Array = NDArray[np.float32]

Draw = Callable[[Array], Array]
"""From the pixels of a photo, (3, H, W), normalised, to maps (K, h, w), >= 0."""

DEFAULT_TRAINING = TrainingSettings()


@dataclass(frozen=True)
class PaperFigures:
    """A column of Table 1 of Qi & Li (2017), on 30 random categories of CUB with VGG19.

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
    """A few components of Z, and the score as a weighted sum of them.

    Attributes
    ----------
    encoder : NDArray of float64
        (K, S_z), signed: the weights of each component.
    offset : NDArray of float64
        (K,), added to each.
    v : NDArray of float64
        (K,), weight of each component in ȳ.
    intercept : float
        Added to their sum.
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
    """What a method gives for one category: K maps a photo, and the K activations they explain.

    Attributes
    ----------
    draw : Draw
        From pixels to maps.
    activate : callable
        From Z (M, S_z) and logits (M, C) to activations (M, K).
    v : NDArray of float or None
        (K,), weight of each activation in the score; None where they do not make up a score.
    module : ExplanationModule, LinearProbe or None
        Computes ȳ; None where the method has no score of its own.
    """

    draw: Draw
    activate: Callable[[Array, Array], Array]
    v: NDArray[np.floating] | None
    module: "ExplanationModule | LinearProbe | None" = None


class Case(Protocol):
    """A category to explain, with a seed for module and split; what a method may ask of it."""

    @property
    def category(self) -> str:
        """As in ``classes.txt``."""

    @property
    def seed(self) -> int:
        """Of module and split."""

    @property
    def index(self) -> int:
        """Position of the category among the logits."""

    def get_training_photos(self) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return Z (M, S_z), ŷ (M,) and which photos are of the category, (M,)."""

    def find_or_train(self, module: ModuleSettings, training: TrainingSettings) -> Steps[Source]:
        """Return a module's x-features; one that is not there yet is trained."""

    def use_probe(self, probe: Probe) -> Source:
        """Return the components of a probe."""

    def draw_z(self, pixels: Array, dimensions: Sequence[int]) -> Array:
        """Draw c-MWP of single dimensions of Z."""

    def draw_logit(self, pixels: Array) -> Array:
        """Draw c-MWP of the category's logit, (1, h, w)."""

    def draw_grad_cam(self, pixels: Array) -> Array:
        """Draw Grad-CAM of the category's logit, (1, h, w)."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """One row of the comparison.

    Attributes
    ----------
    name : str
        On the command line and in files.
    title : str
        In tables and figures.
    colour : str
        In figures, ``#rrggbb``.
    summary : str
        One plain sentence for people who choose it.
    paper : PaperFigures or None
        What the paper reports for it.
    """

    name: str
    title: str
    colour: str
    summary: str
    paper: PaperFigures | None = None

    @abstractmethod
    def prepare(self, case: Case) -> Steps[Source]:
        """Make ready what the method needs on a case."""

    def describe(self) -> dict[str, Any]:
        """List everything that its numbers depend on, for a file."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ScoreMethod(Method):
    """A method that draws the classifier's own score and needs no module."""

    @abstractmethod
    def draw(self, case: Case, pixels: Array) -> Array:
        """Draw the category's score on a photo, (1, h, w)."""

    def prepare(self, case: Case) -> Steps[Source]:
        """Return one map, of an activation that is the score itself."""
        yield from ()
        index = case.index

        def draw(pixels: Array) -> Array:
            return self.draw(case, pixels)

        return Source(draw, lambda _, logits: np.asarray(logits)[:, [index]], np.ones(1))


@dataclass(frozen=True, kw_only=True)
class TrainedMethod(Method):
    """A method that trains an explanation module for every category.

    Attributes
    ----------
    settings : ModuleSettings
        Shape of the module and its loss.
    training : TrainingSettings
        How it is trained; the seed is replaced by that of the comparison.
    """

    settings: ModuleSettings
    training: TrainingSettings = DEFAULT_TRAINING

    def prepare(self, case: Case) -> Steps[Source]:
        """Find the module of this case, or train it."""
        return (yield from case.find_or_train(self.settings, self.training))

    def describe(self) -> dict[str, Any]:
        """List the settings of module and training."""
        return {"module": self.settings.describe(), "training": self.training.describe()}


@dataclass(frozen=True, kw_only=True)
class ProbeMethod(Method):
    """A method that fits a few components of Z and the score on them, without training.

    Attributes
    ----------
    components : int
        K.
    """

    components: int = 5

    @abstractmethod
    def fit(self, z: Array, y_hat: Array, is_positive: NDArray[np.bool_], seed: int) -> Probe:
        """Fit the components on Z (M, S_z) and ŷ (M,) of the training photos."""

    def prepare(self, case: Case) -> Steps[Source]:
        """Fit the components on the training photos of this case."""
        yield from ()
        return case.use_probe(self.fit(*case.get_training_photos(), case.seed))

    def describe(self) -> dict[str, Any]:
        """List the number of components."""
        return {"components": self.components}
