import dataclasses
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.config import ExplorerError, Progress
from explorer.data.painted.anatomy import build_skeleton, locate_parts
from explorer.data.painted.dataset import (
    PaintedSettings,
    choose_test_photos,
    find_scene,
    paint_dataset,
)
from explorer.data.painted.pairs import PAIRS
from explorer.data.painted.photo import PaintedPhoto, paint_photo
from explorer.data.painted.plans import PLANS
from explorer.data.painted.relatives import (
    find_differing_traits,
    find_nearest_relatives,
    find_telling_parts,
)
from explorer.data.painted.scene import Occluder, Scene, draw_scene
from explorer.data.painted.traits import (
    PALETTE,
    PART_NAMES,
    TRAIT_PARTS,
    BirdTraits,
    replace_traits,
)

SETTINGS = PaintedSettings(
    seed=3,
    photos_per_category=4,
    test_photos_per_category=1,
    size=64,
    supersampling=2,
    plan="pairs",
)
FINCH = PAIRS["Ember_capped_Finch"]
OTHER_VALUES = {
    "crown": "azure",
    "forehead": "poppy",
    "face": "poppy",
    "throat": "seafoam",
    "back": "lemon",
    "breast": "plum",
    "breast_pattern": "banded",
    "belly": "plum",
    "wing": "poppy",
    "wing_bar": "double",
    "tail": "lemon",
    "tail_shape": "forked",
    "beak": "lemon",
    "beak_shape": "hooked",
}
# How far from its part points a trait may reach, in body lengths.
REACH = {"breast_pattern": 0.45, "wing_bar": 0.4, "crown": 0.45, "throat": 0.4, "face": 0.45}
REACH |= {"forehead": 0.3, "beak": 0.3, "beak_shape": 0.3, "tail_shape": 0.45}


def read_table(path: Path) -> list[list[str]]:
    return [line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines()]


def read_bytes(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def find_scene_where(condition, occluder_share: float = 0.0, count: int = 1) -> list[Scene]:
    scenes = (draw_scene(seed, occluder_share) for seed in range(400))
    return [scene for scene in scenes if condition(scene)][:count]


def index_of(part: str) -> int:
    return PART_NAMES.index(part)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("birds") / "painted"
    for _ in paint_dataset(root, SETTINGS):
        pass
    return root


@pytest.fixture(scope="module")
def photos() -> list[tuple[Scene, PaintedPhoto]]:
    names = list(PAIRS)
    scenes = [draw_scene(seed, occluder_share=0.3) for seed in range(60)]
    return [
        (scene, paint_photo(PAIRS[names[index % len(names)]], scene, 64, 2))
        for index, scene in enumerate(scenes)
    ]


def test_dataset_has_the_files_and_counts_of_the_cub_layout(painted):
    images = read_table(painted / "images.txt")
    assert [int(row[0]) for row in images] == list(range(1, 49))
    assert all((painted / "images" / row[1]).is_file() for row in images)
    assert len(list((painted / "images").rglob("*.jpg"))) == 48
    classes = read_table(painted / "classes.txt")
    assert classes[0] == ["1", "001.Ember_capped_Finch"]
    assert len(classes) == 12
    assert images[0][1] == "001.Ember_capped_Finch/Ember_capped_Finch_0001.jpg"
    folders = dict(classes)
    for (_, path), (_, label) in zip(
        images, read_table(painted / "image_class_labels.txt"), strict=True
    ):
        assert path.split("/")[0] == folders[label]
    assert [row[1] for row in read_table(painted / "parts" / "parts.txt")] == list(PART_NAMES)
    assert len(read_table(painted / "parts" / "part_locs.txt")) == 48 * 15
    assert len(read_table(painted / "bounding_boxes.txt")) == 48


def test_photos_are_rgb_jpegs_of_the_chosen_size(painted):
    with Image.open(next((painted / "images").rglob("*.jpg"))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))


def test_split_gives_each_category_its_share(painted):
    labels = dict(read_table(painted / "image_class_labels.txt"))
    split = read_table(painted / "train_test_split.txt")
    tests = Counter(labels[image] for image, training in split if training == "0")
    assert tests == {str(category): 1 for category in range(1, 13)}
    assert {training for _, training in split} == {"0", "1"}


def test_default_split_is_interleaved_and_seeded():
    settings = PaintedSettings()
    chosen = sorted(choose_test_photos(settings, 0))
    assert len(chosen) == 15
    # One of every four consecutive photos, so that training and test photos are interleaved.
    assert [photo // 4 for photo in chosen] == list(range(15))
    assert chosen != sorted(choose_test_photos(settings, 1))
    assert chosen == sorted(choose_test_photos(settings, 0))


def test_boxes_contain_the_visible_parts_and_hidden_parts_are_zero(painted):
    boxes = {row[0]: [float(v) for v in row[1].split()] for row in read_table(
        painted / "bounding_boxes.txt"
    )}  # fmt: skip
    for image, rest in read_table(painted / "parts" / "part_locs.txt"):
        _, x, y, visible = rest.split()
        if visible == "0":
            assert (x, y) == ("0.0", "0.0")
            continue
        left, top, width, height = boxes[image]
        assert left - 1 <= float(x) <= left + width + 1
        assert top - 1 <= float(y) <= top + height + 1


def test_box_is_the_tight_box_of_the_mask_inside_the_photo(photos):
    for _, photo in photos:
        rows, columns = np.nonzero(photo.mask)
        x, y, width, height = photo.box
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
        assert x > 0
        assert y > 0
        assert x + width < 64
        assert y + height < 64


def test_visible_parts_are_on_the_bird(photos):
    for _, photo in photos:
        for x, y in photo.parts[photo.visible]:
            near = photo.mask[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
            assert near.any()


@pytest.mark.parametrize(("facing", "seen"), [(-1, "left"), (1, "right")])
def test_bird_shows_the_side_facing_the_viewer(facing, seen):
    hidden = "right" if seen == "left" else "left"
    for scene in find_scene_where(lambda scene: scene.pose.facing == facing, count=12):
        photo = paint_photo(FINCH, scene, 64, 2)
        assert photo.visible[index_of(f"{seen} eye")]
        assert not photo.visible[index_of(f"{hidden} eye")]
        assert photo.visible[index_of(f"{seen} wing")]
        assert photo.visible[index_of(f"{hidden} wing")] == scene.pose.wings_raised
        # The beak is in front, the tail behind.
        beak, tail = photo.parts[index_of("beak")], photo.parts[index_of("tail")]
        assert np.sign(beak[0] - tail[0]) == facing


def test_legs_follow_the_pose():
    (flying,) = find_scene_where(lambda scene: scene.pose.flying)
    (standing,) = find_scene_where(lambda scene: not scene.pose.flying and scene.pose.stride == 0)
    (striding,) = find_scene_where(lambda scene: not scene.pose.flying and scene.pose.stride > 0)
    legs = [index_of("left leg"), index_of("right leg")]
    assert [paint_photo(FINCH, scene, 64, 2).visible[legs].sum()
            for scene in (flying, standing, striding)] == [0, 1, 2]  # fmt: skip


def test_the_mirrored_scene_gives_mirrored_parts_with_sides_exchanged():
    (scene,) = find_scene_where(lambda scene: scene.pose.facing == 1 and scene.perch == "post")
    mirrored = dataclasses.replace(
        scene,
        pose=dataclasses.replace(scene.pose, facing=-1),
        place=(1 - scene.place[0], scene.place[1]),
    )
    right, left = (paint_photo(FINCH, each, 64, 2) for each in (scene, mirrored))
    for name in ("beak", "tail", "crown", "back"):
        x, y = right.parts[index_of(name)]
        assert left.parts[index_of(name)] == pytest.approx([64 - x, y])
    x, y = right.parts[index_of("right eye")]
    assert left.parts[index_of("left eye")] == pytest.approx([64 - x, y])


def test_an_occluder_hides_its_part_but_not_the_box():
    (scene,) = find_scene_where(lambda scene: scene.perch == "post" and scene.occluder is None)
    leaf = Occluder("leaf", "tail", angle=0.0, length=0.5, width=0.3, tone=0.5)
    bare = paint_photo(FINCH, scene)
    covered = paint_photo(FINCH, dataclasses.replace(scene, occluder=leaf))
    tail = index_of("tail")
    assert bare.visible[tail]
    assert not covered.visible[tail]
    assert covered.parts[tail].tolist() == [0.0, 0.0]
    assert covered.visible[index_of("crown")]
    np.testing.assert_array_equal(covered.box, bare.box)
    np.testing.assert_array_equal(covered.mask, bare.mask)


def test_the_share_of_occluded_scenes_is_as_set():
    occluded = sum(draw_scene(seed).occluder is not None for seed in range(1000))
    assert 110 <= occluded <= 190
    assert draw_scene(5, occluder_share=1.0).occluder is not None
    assert draw_scene(5, occluder_share=0.0).occluder is None


@pytest.mark.parametrize(("trait", "value"), [*OTHER_VALUES.items(), ("wing_bar", "patch")])
def test_changing_one_trait_changes_only_its_parts(trait, value):
    changed_traits = replace_traits(FINCH, **{trait: value})
    assert find_differing_traits(FINCH, changed_traits) == (trait,)
    for seed in range(8):
        scene = draw_scene(seed, occluder_share=0.0)
        before, after = paint_photo(FINCH, scene), paint_photo(changed_traits, scene)
        rows, columns = np.nonzero((before.image != after.image).any(axis=2))
        assert rows.size >= 12
        skeleton = build_skeleton(scene, 128)
        parts, _, _ = locate_parts(skeleton)
        centers = parts[[index_of(part) for part in TRAIT_PARTS[trait]]]
        pixels = np.stack([columns + 0.5, rows + 0.5], axis=1)
        distance = np.linalg.norm(pixels[:, None] - centers, axis=2).min(axis=1)
        assert distance.max() <= REACH.get(trait, 0.8) * skeleton.unit
        np.testing.assert_array_equal(before.parts, after.parts)
        np.testing.assert_array_equal(before.visible, after.visible)
        if not trait.endswith("_shape"):  # a shape changes the outline, and with it the box
            np.testing.assert_array_equal(before.box, after.box)
            np.testing.assert_array_equal(before.mask, after.mask)


def test_a_photo_is_a_pure_function_of_traits_and_scene():
    scene = draw_scene(11)
    assert draw_scene(11) == scene
    assert draw_scene(12) != scene
    first, second = paint_photo(FINCH, scene), paint_photo(FINCH, scene)
    np.testing.assert_array_equal(first.image, second.image)


def test_a_larger_picture_is_the_same_scene():
    scene = draw_scene(4, occluder_share=0.0)
    small, large = paint_photo(FINCH, scene, 64, 4), paint_photo(FINCH, scene, 128, 4)
    np.testing.assert_allclose(2 * small.parts, large.parts, atol=1e-6)
    np.testing.assert_allclose(2 * small.box, large.box, atol=3)
    shrunk = np.asarray(Image.fromarray(large.image).resize((64, 64), Image.Resampling.BOX))
    assert np.abs(shrunk.astype(float) - small.image).mean() < 4


def test_two_runs_write_the_same_bytes(painted, tmp_path):
    again = tmp_path / "again"
    steps = list(paint_dataset(again, SETTINGS))
    assert steps[-1] == Progress("Painting birds", 48, 48)
    assert [step.done for step in steps] == list(range(1, 49))
    assert read_bytes(again) == read_bytes(painted)


def test_another_seed_paints_other_photos(painted, tmp_path):
    other = tmp_path / "other"
    for _ in paint_dataset(other, dataclasses.replace(SETTINGS, seed=4)):
        pass
    name = "images/001.Ember_capped_Finch/Ember_capped_Finch_0001.jpg"
    assert (other / name).read_bytes() != (painted / name).read_bytes()


def test_ground_truth_repaints_each_photo(painted):
    truth = json.loads((painted / "traits.json").read_text(encoding="utf-8"))
    assert truth["schema_version"] == 1
    assert truth["seed"] == 3
    assert len(truth["scene_seeds"]) == 48
    images, labels = (dict(read_table(painted / name)) for name in (
        "images.txt", "image_class_labels.txt"
    ))  # fmt: skip
    for image_id in ("1", "17", "48"):
        category = truth["categories"][int(labels[image_id]) - 1]
        scene = draw_scene(truth["scene_seeds"][image_id])
        photo = paint_photo(BirdTraits(**category["traits"]), scene, 64, 2)
        file = io.BytesIO()
        Image.fromarray(photo.image).save(
            file, "JPEG", quality=SETTINGS.quality, optimize=True, subsampling=0
        )
        assert (painted / "images" / images[image_id]).read_bytes() == file.getvalue()


def test_ground_truth_relatives_follow_from_the_traits(painted):
    truth = json.loads((painted / "traits.json").read_text(encoding="utf-8"))
    traits_by_name = {item["name"]: item["traits"] for item in truth["categories"]}
    for item in truth["categories"]:
        counts = {
            name: sum(item["traits"][key] != other[key] for key in other)
            for name, other in traits_by_name.items()
            if name != item["name"]
        }
        nearest = {name for name, count in counts.items() if count == min(counts.values())}
        assert {relative["name"] for relative in item["nearest_relatives"]} == nearest
        for relative in item["nearest_relatives"]:
            other = traits_by_name[relative["name"]]
            differing = [key for key in other if other[key] != item["traits"][key]]
            assert relative["differing_traits"] == differing
            parts = {part for key in differing for part in truth["trait_parts"][key]}
            assert set(relative["telling_parts"]) == parts


def test_categories_are_distinct_and_several_pairs_differ_in_one_trait():
    assert len(PAIRS) == 12
    assert len(set(PAIRS.values())) == 12
    single = {
        item.differing_traits[0]
        for name in PAIRS
        for item in find_nearest_relatives(name, PAIRS)
        if len(item.differing_traits) == 1
    }
    assert single == {"crown", "wing_bar", "breast_pattern", "throat", "tail"}


def test_traits_name_known_colours_and_parts():
    assert set(TRAIT_PARTS) == {field.name for field in dataclasses.fields(BirdTraits)}
    assert {part for parts in TRAIT_PARTS.values() for part in parts} <= set(PART_NAMES)
    shapes = {"breast_pattern", "wing_bar", "tail_shape", "beak_shape"}
    for traits in (traits for categories in PLANS.values() for traits in categories.values()):
        values = dataclasses.asdict(traits)
        assert {value for key, value in values.items() if key not in shapes} <= set(PALETTE)
    assert find_telling_parts(("wing_bar", "back")) == ("back", "left wing", "nape", "right wing")


@pytest.mark.parametrize("name", list(PAIRS))
def test_every_photo_shows_a_difference_from_each_nearest_relative(name):
    for photo in range(3):
        scene, painted = find_scene(name, SETTINGS, photo)
        assert painted.image.shape == (64, 64, 3)
        for relative in find_nearest_relatives(name, SETTINGS.categories):
            shown = [painted.visible[index_of(part)] for part in relative.telling_parts]
            assert any(shown), scene


def test_a_folder_in_use_is_refused_and_not_changed(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ExplorerError, match="not an empty folder"):
        next(paint_dataset(tmp_path, SETTINGS))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ExplorerError, match="not an empty folder"):
        next(paint_dataset(tmp_path / "notes.txt", SETTINGS))


def test_an_empty_folder_that_exists_is_filled(tmp_path):
    few = dataclasses.replace(SETTINGS, photos_per_category=2, size=32, supersampling=1)
    for _ in paint_dataset(tmp_path / "birds", few):
        pass
    (tmp_path / "empty").mkdir()
    for _ in paint_dataset(tmp_path / "empty", few):
        pass
    assert read_bytes(tmp_path / "empty") == read_bytes(tmp_path / "birds")
    assert {path.name for path in tmp_path.iterdir()} == {"birds", "empty"}


def test_an_interrupted_run_leaves_no_files(tmp_path):
    run = paint_dataset(tmp_path / "birds", SETTINGS)
    next(run)
    run.close()
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ExplorerError, match="cannot be written"):
        next(paint_dataset(tmp_path / "file" / "birds", SETTINGS))


@pytest.mark.parametrize(
    "wrong",
    [
        {"test_photos_per_category": 60},
        {"test_photos_per_category": 0},
        {"size": 8},
        {"quality": 100},
        {"seed": -1},
        {"supersampling": 0},
        {"plan": "striped"},
    ],
)
def test_invalid_settings_are_refused(wrong):
    with pytest.raises(ExplorerError):
        PaintedSettings(**wrong)


def test_unknown_traits_are_refused():
    with pytest.raises(ExplorerError, match="No such trait: hat"):
        replace_traits(FINCH, hat="ember")
