"""How a classifier is fine-tuned."""

from dataclasses import dataclass

from explorer.config import MOST_SEED, ExplorerError
from explorer.data.augment import DEFAULT_AUGMENT, AugmentSettings
from explorer.nn.backbones.registry import get_family
from explorer.nn.backbones.vgg_small import VGG_SMALL
from explorer.settings.declaring import check_settings, setting
from explorer.training.classifier.precision import AUTO, PRECISIONS

IMAGENET = "imagenet"
SCRATCH = "scratch"
FRESH_HEAD_FACTOR = 10.0


@dataclass(frozen=True)
class FinetuneSettings:
    """How a classifier is fine-tuned.

    Attributes
    ----------
    architecture : str
        A name in `explorer.nn.backbones.registry.ARCHITECTURES`.
    initial : str
        ``imagenet`` (torchvision's IMAGENET1K_V1 weights), ``scratch``, or the path of a file of
        weights. Empty: ``imagenet`` where there are such weights, ``scratch`` for vgg_small.
    epochs, batch_size, seed : int
        Passes over the training photos, photos per step, and the seed of everything random.
    learning_rate : float
        Peak of AdamW's, which rises and falls along half cosines (one cycle); 0 chooses 1e-3 for
        vgg_small from scratch and 1e-4 otherwise.
    head_factor : float
        How many times faster the last layer learns than what lies below it; 0 chooses 10 where it
        is fresh on top of a trained network, and 1 otherwise.
    warm_up : float
        Share of the steps in which the learning rate rises; 0 chooses 0.3 from scratch and 0.1
        otherwise.
    weight_decay : float
        Decoupled weight decay.
    label_smoothing : float
        Share of the target spread over all categories.
    validation_share : float
        Share of each category's training photos on which the best epoch is chosen.
    augment : AugmentSettings
        How far training photos are varied.
    precision : str
        A name in `explorer.training.classifier.precision.PRECISIONS`.
    half : bool
        Round the final weights to half precision, for half the file; measured after rounding.
    workers : int
        Processes that load and augment photos; 0 loads in this one. Changes nothing in the result.
    random_labels : bool
        Shuffle the labels of the training photos and keep the last epoch: the data randomisation
        test of Adebayo et al., "Sanity Checks for Saliency Maps" (2018), section 4. What such a
        network knows by heart has nothing to do with birds.
    """

    architecture: str = VGG_SMALL.name
    initial: str = setting(
        "",
        "What training begins with: imagenet, scratch, or a file of weights.",
        usual="by --arch",
    )
    epochs: int = setting(30, "Passes over the training photos.", low=1, high=1_000_000)
    batch_size: int = setting(32, "Photos per step.", low=2, high=65_536)
    seed: int = setting(0, "Of everything random.", low=0, high=MOST_SEED)
    learning_rate: float = setting(
        0.0, "Peak of the learning rate; 0 chooses by the start.", low=0, high=10
    )
    head_factor: float = setting(
        0.0, "The last layer's learning rate over that of the others; 0 chooses.", low=0, high=1e6
    )
    warm_up: float = setting(
        0.0, "Share of the steps in which the rate rises; 0 chooses.", low=0, below=1
    )
    weight_decay: float = setting(0.02, "Pulls weights towards zero.", low=0, high=10)
    label_smoothing: float = setting(
        0.1, "Share of the target that is spread over all categories.", low=0, below=1
    )
    validation_share: float = setting(
        0.1,
        "Share of each category's training photos on which the best epoch is chosen.",
        above=0,
        below=1,
    )
    augment: AugmentSettings = DEFAULT_AUGMENT
    precision: str = setting(AUTO, "Number format, mixed with full precision.", choices=PRECISIONS)
    half: bool = False
    workers: int = 0
    random_labels: bool = False

    def __post_init__(self) -> None:
        check_settings(self)
        if self.workers < 0:
            raise ExplorerError("The number of workers must be at least 0.")

    @property
    def start(self) -> str:
        """What training begins with: `initial`, or what it is by default."""
        return self.initial or (IMAGENET if self._has_imagenet_weights else SCRATCH)

    @property
    def peak_rate(self) -> float:
        """Highest learning rate of all layers but the last."""
        is_small = self.start == SCRATCH and not self._has_imagenet_weights
        return self.learning_rate or (1e-3 if is_small else 1e-4)

    @property
    def rise(self) -> float:
        """Share of the steps in which the learning rate rises."""
        return self.warm_up or (0.3 if self.start == SCRATCH else 0.1)

    @property
    def _has_imagenet_weights(self) -> bool:
        return get_family(self.architecture).has_imagenet_weights

    def get_head_factor(self, *, is_fresh: bool) -> float:
        """Return how many times faster the last layer learns, fresh or trained before."""
        is_new_on_old = is_fresh and self.start != SCRATCH
        return self.head_factor or (FRESH_HEAD_FACTOR if is_new_on_old else 1.0)
