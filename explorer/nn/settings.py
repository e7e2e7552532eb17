"""Shape and loss of an explanation module, as a user sets them."""

from dataclasses import dataclass, replace

from explorer.config import ExplorerError

METHODS = ("srae", "nn", "sae", "jointsae")
_PUBLIC_Z_SIZE = 4096
_PUBLIC_WIDTHS = (800, 100)


@dataclass(frozen=True)
class ModuleSettings:
    """Shape and loss of an explanation module.

    The paper prints neither widths nor β nor q; the defaults follow public code derived from the
    authors' (4096-800-100-5-100-800-4096, q = 100).

    Attributes
    ----------
    method : {"srae", "nn", "sae", "jointsae"}
        ``srae`` is the paper's method. ``nn`` has no reconstruction term in its loss; where
        layers are pretrained, it starts from the same pretrained layers as the others. ``sae`` is
        a conventional stacked autoencoder: a plain mean squared reconstruction of all of Z, then
        the least-squares v on top of the finished encoder. ``jointsae`` is SRAE without the log:
        plain mean squared reconstruction of all of Z, trained together with ȳ.
    x_features : int
        Number of x-features.
    widths : tuple of int
        Hidden widths of the encoder from Z downwards; the decoder mirrors them. Empty: scaled
        from the public code's with the size of Z.
    beta : float
        Weight of the sparse reconstruction term, >= 0.
    q : float
        Sparsity of the log penalty, > 0.
    pull_away : float
        Weight of the pull-away term, >= 0; 0 is the 2017 paper.
    """

    method: str = "srae"
    x_features: int = 5
    widths: tuple[int, ...] = ()
    beta: float = 1.0
    q: float = 100.0
    pull_away: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ExplorerError(
                f"Unknown method {self.method!r}. Choose one of: {', '.join(METHODS)}."
            )
        if self.x_features < 1 or any(width < 1 for width in self.widths):
            raise ExplorerError("The number of x-features and every width must be at least 1.")
        # Written so that NaN is refused as well.
        if not (self.beta >= 0 and self.q > 0 and self.pull_away >= 0):
            raise ExplorerError("β and the pull-away weight must be at least 0, and q above 0.")


def scale_widths(settings: ModuleSettings, z_size: int) -> ModuleSettings:
    """Fill in the widths that are left open, in proportion to the size of Z.

    The last hidden layer keeps at least four times the x-features, so that a small Z does not
    squeeze them twice.
    """
    if settings.widths:
        return settings
    first, second = (round(width * z_size / _PUBLIC_Z_SIZE) for width in _PUBLIC_WIDTHS)
    narrowest = 4 * settings.x_features
    return replace(settings, widths=(max(first, narrowest), max(second, narrowest)))
