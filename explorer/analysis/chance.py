"""How often guessing does as well as a classifier."""

from scipy.special import bdtrc


def compute_chance(right: int, total: int, categories: int) -> float:
    """Return the probability that guessing is right on at least `right` of `total` photos.

    Parameters
    ----------
    right, total : int
        Photos, 0 <= `right` <= `total`.
    categories : int
        Number of categories to guess among, each as likely as the others; >= 1.

    Returns
    -------
    float
        Upper tail of the binomial distribution, in [0, 1].
    """
    if not 0 <= right <= total or categories < 1:
        raise ValueError(f"{right} of {total} photos and {categories} categories do not fit")
    # `bdtrc` counts more than its first argument.
    return float(bdtrc(right - 1, total, 1 / categories)) if right else 1.0
