"""Settings of fine-tuning a classifier."""

from dataclasses import dataclass

from explorer.config import MAX_SEED, ExplorerError
from explorer.data.augment import DEFAULT_AUGMENT, AugmentSettings
from explorer.nn.backbones.registry import get_family
from explorer.nn.backbones.vgg_small import VGG_SMALL
from explorer.settings.declaring import check_settings, setting
from explorer.training.classifier.precision import AUTO, PRECISIONS

IMAGENET = "imagenet"
SCRATCH = "scratch"
FRESH_HEAD_FACTOR = 10.0
MAX_RATE = 10


@dataclass(frozen=True)
class FinetuneSettings:
    """Settings of fine-tuning a classifier.

    Attributes
    ----------
    architecture : str
        A name in `explorer.nn.backbones.registry.ARCHITECTURES`.
    initial : str
        ``imagenet`` (torchvision's IMAGENET1K_V1 weights), ``scratch``, or the path of a file of
        weights. Empty for ``imagenet`` if there are such weights, and ``scratch`` for vgg_small and
        vgg_small_gap.
    epochs, batch_size, seed : int
        Passes over the training photos, photos per step, and random seed.
    stages : str
        Stages of the training; see `explorer.training.classifier.stages`. Empty to train all layers
        on a CUDA device or from random weights, and to go from the top down elsewhere.
    views : int
        In stages, the number of views of each training photo: the whole photo, its mirror image,
        and random crops. Fewer if their outputs would take more than `cache_gigabytes`.
    cache_gigabytes : float
        Most disk space, in GB (10⁹ bytes), for the output of frozen layers.
    learning_rate : float
        Peak of AdamW's learning rate, which follows one cycle of half cosines; 0 for 1e-3 for
        vgg_small from scratch, and 1e-4 otherwise.
    head_factor : float
        Factor on the learning rate of the last layer; 0 for 10 if it is new on top of a trained
        network, and 1 otherwise.
    warm_up : float
        Share of the steps in which the learning rate rises; 0 for 0.3 from scratch, and 0.1
        otherwise.
    weight_decay : float
        Decoupled weight decay.
    label_smoothing : float
        Share of the target spread over all categories.
    validation_share : float
        Share of each category's training photos on which the best epoch is chosen.
    augment : AugmentSettings
        Settings of the augmentation.
    precision : str
        A name in `explorer.training.classifier.precision.PRECISIONS`.
    half : bool
        Whether to round the final weights to half precision, which halves the file. The accuracy is
        measured after rounding.
    workers : int
        Number of processes that load and augment photos; 0 for this process. The result is the
        same.
    random_labels : bool
        Whether to shuffle the labels of the training photos and keep the last epoch, for the data
        randomisation test of Adebayo et al., "Sanity Checks for Saliency Maps" (2018), section 4.
    """

    architecture: str = VGG_SMALL.name
    initial: str = setting(
        "",
        "Initial weights: imagenet, scratch, or a file of weights.",
        default_text="depends on --arch",
    )
    epochs: int = setting(
        30,
        "Passes over the training photos; in stages, of the one that trains all layers.",
        low=1,
        high=1_000_000,
    )
    stages: str = setting(
        "",
        "The layers below which nothing is trained, with epochs, and with a learning rate where it "
        "is not --learning-rate: pool5=12,pool4=8,all=20@3e-5.",
        default_text="depends on the device",
    )
    views: int = setting(
        6, "Views of each training photo that frozen layers are computed on.", low=2, high=64
    )
    cache_gigabytes: float = setting(
        8.0,
        "Most disk space for the output of frozen layers; what does not fit is computed each time.",
        above=0,
        high=10_000,
    )
    batch_size: int = setting(32, "Photos per step.", low=2, high=65_536)
    seed: int = setting(0, "Random seed.", low=0, high=MAX_SEED)
    learning_rate: float = setting(
        0.0, "Peak of the learning rate; 0 chooses it by the initial weights.", low=0, high=MAX_RATE
    )
    head_factor: float = setting(
        0.0, "Factor on the learning rate of the last layer; 0 chooses it.", low=0, high=1e6
    )
    warm_up: float = setting(
        0.0, "Share of the steps in which the rate rises; 0 chooses it.", low=0, below=1
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
    precision: str = setting(AUTO, "Number format of mixed precision.", choices=PRECISIONS)
    half: bool = False
    workers: int = 0
    random_labels: bool = False

    def __post_init__(self) -> None:
        check_settings(self)
        if self.workers < 0:
            raise ExplorerError("The number of workers must be at least 0.")

    @property
    def start(self) -> str:
        """The initial weights: `initial`, or the default."""
        return self.initial or (IMAGENET if self._has_imagenet_weights else SCRATCH)

    @property
    def peak_rate(self) -> float:
        """Peak of the learning rate of all layers except for the last."""
        is_small = self.start == SCRATCH and not self._has_imagenet_weights
        return self.learning_rate or (1e-3 if is_small else 1e-4)

    @property
    def rise(self) -> float:
        """Share of the steps in which the learning rate rises."""
        return self.warm_up or (0.3 if self.start == SCRATCH else 0.1)

    @property
    def _has_imagenet_weights(self) -> bool:
        return bool(get_family(self.architecture).name_pretrained(self.architecture))

    def get_head_factor(self, *, is_fresh: bool) -> float:
        """Return the factor on the learning rate of the last layer, if new or already trained."""
        is_new_on_old = is_fresh and self.start != SCRATCH
        return self.head_factor or (FRESH_HEAD_FACTOR if is_new_on_old else 1.0)
