import numpy as np

from explorer.measuring.naming import compute_means


def test_means_over_categories_that_have_photos() -> None:
    activations = np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]], np.float32)
    means, rows = compute_means(activations, np.array([4, 4, 1]))
    assert rows.tolist() == [1, 4]
    assert means.tolist() == [[5, 5], [2, 1]]
