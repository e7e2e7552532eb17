from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.data.augment import DEFAULT_AUGMENT
from explorer.data.cub import CubDataset
from explorer.data.photo import load_photo
from explorer.data.transforms import prepare_image
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.growing import count_rows
from explorer.training.classifier import frozen
from explorer.training.classifier.frozen import (
    FrozenPhotos,
    FrozenValidation,
    PhotoViews,
    choose_views,
    compute_frozen_outputs,
    count_output_bytes,
)
from explorer.training.classifier.precision import Precision

Run = Callable[[Any], Any]
FULL = Precision("full", torch.device("cpu"))


@pytest.fixture
def views(painted_dataset: CubDataset, small_backbone: Backbone) -> PhotoViews:
    training, validation = painted_dataset.photos[:4], painted_dataset.photos[4:6]
    return PhotoViews(training, validation, 3, small_backbone.architecture, DEFAULT_AUGMENT, seed=0)


def test_views_are_the_photo_its_mirror_image_and_crops(views: PhotoViews) -> None:
    assert len(views) == 3 * 4 + 2
    photo, arch = views.training[1], views.architecture
    image = load_photo(photo)
    whole = prepare_image(image, arch.input_size, arch.mean, arch.std)
    np.testing.assert_array_equal(views[1], whole)
    mirrored = prepare_image(
        np.ascontiguousarray(image[:, ::-1]), arch.input_size, arch.mean, arch.std
    )
    np.testing.assert_array_equal(views[4 + 1], mirrored)
    crop = views[8 + 1]
    assert crop.shape == views[1].shape
    assert not np.allclose(crop, whole)
    np.testing.assert_array_equal(crop, views[8 + 1])
    last = prepare_image(load_photo(views.validation[1]), arch.input_size, arch.mean, arch.std)
    np.testing.assert_array_equal(views[13], last)


def test_outputs_are_those_of_the_layers(
    views: PhotoViews, small_backbone: Backbone, tmp_path: Path, run: Run
) -> None:
    layers, counts = list(small_backbone.layers), [20, 10]
    outputs = run(compute_frozen_outputs(tmp_path / "a", layers, counts, views, FULL))
    images = torch.stack([views[index] for index in range(len(views))])
    for count in counts:
        with torch.inference_mode():
            expected = torch.nn.Sequential(*layers[:count])(images)
        assert outputs[count].dtype == np.float16
        np.testing.assert_allclose(outputs[count], expected, rtol=2e-3, atol=1e-3)
        size = count_output_bytes(layers, count, views.architecture)
        assert outputs[count].nbytes == len(views) * size


def test_photos_are_a_random_view_in_every_epoch(views: PhotoViews) -> None:
    outputs = np.arange(len(views), dtype=np.float16)[:, None]
    photos, seen = FrozenPhotos(outputs, views), set()
    for epoch in range(20):
        photos.epoch = epoch
        for index in range(len(photos)):
            output, label = photos[index]
            assert label == views.training[index].category_index
            assert int(output) % 4 == index
            seen.add(int(output))
    assert seen == set(range(12)), "all views, and no validation photo"
    whole = FrozenValidation(outputs, views)
    assert [int(whole[index][0]) for index in range(len(whole))] == [12, 13]


def test_an_interrupted_computation_is_continued(
    views: PhotoViews,
    small_backbone: Backbone,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frozen, "_BATCH_SIZE", 4)
    layers = list(small_backbone.layers)
    whole = run(compute_frozen_outputs(tmp_path / "a", layers, [10], views, FULL))[10]
    steps = compute_frozen_outputs(tmp_path / "b", layers, [10], views, FULL)
    for _ in range(2):
        next(steps)
    steps.close()
    (file,) = (tmp_path / "b").iterdir()
    assert count_rows(file) == 8
    progress = []
    resumed = compute_frozen_outputs(tmp_path / "b", layers, [10], views, FULL)
    while True:
        try:
            progress.append(next(resumed).done)
        except StopIteration as stop:
            found = stop.value[10]
            break
    assert progress == [8, 12, 14], "the last batch is computed again"
    np.testing.assert_array_equal(found, whole)
    again = list(compute_frozen_outputs(tmp_path / "b", layers, [10], views, FULL))
    assert again == []


def test_other_weights_are_not_mistaken_for_these(
    views: PhotoViews, small_backbone: Backbone, tmp_path: Path, run: Run
) -> None:
    layers = list(small_backbone.layers)
    one = run(compute_frozen_outputs(tmp_path, layers, [10], views, FULL))[10]
    changed = [*layers]
    changed[0] = torch.nn.Conv2d(3, layers[0].out_channels, 3, padding=1).requires_grad_(False)
    other = run(compute_frozen_outputs(tmp_path, changed, [10], views, FULL))[10]
    assert not np.allclose(one, other)


def test_views_are_reduced_to_fit() -> None:
    assert choose_views(6, 100, training=10, validation=5, limit=10_000) == 6
    assert choose_views(6, 100, training=10, validation=5, limit=4_500) == 4
    assert choose_views(6, 100, training=10, validation=5, limit=2_499) == 1
    assert choose_views(6, 100, training=10, validation=5, limit=499) == 0
