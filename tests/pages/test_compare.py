import csv
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from app_pages import read_texts, select
from PIL import Image
from steps import run_steps
from streamlit.testing.v1 import AppTest
from workspaces import forget_names

from explorer.analysis.pairing import Pair
from explorer.data.names import count_words
from explorer.evaluation.case import Case
from explorer.measuring.module import measure_module
from explorer.measuring.parts import load_parts
from explorer.measuring.records import load_module_measures
from explorer.methods.base import TrainedMethod
from explorer.methods.joint_sae import JointSaeSettings
from explorer.methods.nn import NnSettings
from explorer.methods.registry import METHODS
from explorer.methods.runs import format_run
from explorer.nn.srae import apply_module
from explorer.render.numbers import format_number, format_signed
from explorer.storage.packing import make_csv
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.ui.compare import choosing, maps, measures
from explorer.ui.compare.difference import describe_difference
from explorer.ui.compare.files import make_columns, make_pictures
from explorer.ui.compare.numbers import SideNumbers, load_numbers
from explorer.ui.compare.sides import LEFT, RIGHT, UNTRAINED, Side
from explorer.ui.shared.state import MapStyle
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
CATEGORY, OTHER = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"
BIRD = "Ember-capped Finch"
STYLE = MapStyle("pool3", colours="viridis", opacity=80)


@pytest.fixture(scope="module")
def two_modules(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace where the first category has a second module, of another seed and size."""
    path = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("compare") / "two"))
    workspace = Workspace(path)
    training = TrainingSettings(epochs=2, pretrain_epochs=0, seed=4)
    module = NnSettings(widths=(16, 8), x_features=3)
    entry = run_steps(train_module(workspace, CATEGORY, module, training))
    run_steps(measure_module(workspace, entry))
    return forget_names(path)


def read_choices(app: AppTest) -> list[str]:
    return [
        select(app, f"{place}: {what}").value
        for place in ("Left", "Right")
        for what in ("score of", "explained by")
    ]


def test_a_single_module_is_compared_with_excitation_bp(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "compare")
    assert not app.exception
    assert not app.error
    assert not app.warning
    run = Workspace(tiny_workspace).list_modules()[0].run
    assert read_choices(app) == [CATEGORY, run, CATEGORY, "excitation-bp"]
    texts = read_texts(app)
    assert "ExcitationBP on the right shows it in one map" in texts
    assert "** on the left." in texts
    assert "** on the right" not in texts
    # Four photos, each with a box, five maps left and one right.
    assert len(app.image) == 4 * (1 + 5 + 1)
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("download_button")) == 4


def test_numbers_are_those_of_the_modules(two_modules: Path, open_app: OpenApp) -> None:
    app = open_app(two_modules, "compare")
    assert not app.error
    workspace = Workspace(two_modules)
    first, second = (entry for entry in workspace.list_modules() if entry.category == CATEGORY)
    left, right = (second, first) if second.run.startswith("srae") else (first, second)
    assert read_choices(app) == [CATEGORY, left.run, CATEGORY, right.run]
    texts = read_texts(app)
    assert "They differ in method (SRAE and NN), x-features (5 and 3), seed (0 and 4)" in texts

    features = run_steps(workspace.networks.compute_features())
    rows = features.get_rows([photo.image_id for photo in workspace.dataset.photos_of(CATEGORY)])
    y_hat = features.logits[:, 0]
    activations, y_bars = zip(
        *(apply_module(workspace.networks.load_module(e)[0], features.z) for e in (left, right)),
        strict=True,
    )
    for place, y_bar in zip(("left", "right"), y_bars, strict=True):
        error = np.abs(y_bar - y_hat)[rows].mean()
        assert f"**{error:.3f}** on the {place}" in texts
    distance = np.abs(y_bars[0] - y_bars[1])[rows].mean()
    assert f"and the two rebuilt scores differ by **{distance:.3f}**" in texts
    for entry, column in ((left, 0), (right, 1)):
        metrics = load_module_measures(workspace, entry)
        assert metrics is not None
        f_reg = metrics.test.faithfulness.f_reg
        line = next(line for line in texts.splitlines() if line.startswith("| Mean error, test"))
        assert line.split("|")[2 + column].strip() == f"{f_reg:.3f}"

    found = re.findall(r"\| \*\*([A-Z])\*\* \| (\S+(?: \d)?) \| (\S+(?: \d)?) \| (.+) \|", texts)
    assert [letter for letter, *_ in found] == ["A", "B", "C", "D", "E"]
    assert sum(match == "no partner" for *_, match in found) == 2
    for _, one, other, match in found:
        if other == "–":
            continue
        k, m = (int(name.removeprefix("x-feature ")) - 1 for name in (one, other))
        a, b = activations[0][:, k], activations[1][:, m]
        expected = np.corrcoef(a, b)[0, 1] if a.std() > 0 and b.std() > 0 else 0.0
        assert float(match.split("\u00a0")[-1].replace("−", "-")) == pytest.approx(
            expected, abs=0.006
        )


def test_numbers_of_all_photos_and_of_one_category_are_told_apart(
    two_modules: Path, open_app: OpenApp
) -> None:
    texts = read_texts(open_app(two_modules, "compare"))
    assert "Mean errors and R² are over test or training photos of all categories." in texts
    workspace = Workspace(two_modules)
    first, second = (entry for entry in workspace.list_modules() if entry.category == CATEGORY)
    left, right = (second, first) if second.run.startswith("srae") else (first, second)
    own = {photo.image_id for photo in workspace.dataset.photos_of(CATEGORY)}
    one, other = (own.intersection(workspace.load_record(e).split["test"]) for e in (left, right))
    counts = f"Over the {len(own)} photos of {BIRD} alone, {count_words(len(one), 'test photo')}"
    if one == other:
        counts += " among them, the mean error"
    else:
        counts += f" of the left and {len(other)} of the right among them ({len(one & other)} of"
    assert counts in texts


def test_measuring_a_method_shows_how_far_it_is(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def watch(items: Collection[object], label: str) -> Iterator[object]:
        told.append((label, len(items)))
        yield from items

    monkeypatch.setattr(measures, "track", watch)
    app = open_app(tiny_workspace, "compare")
    assert told == [("Measuring ExcitationBP part by part: photo", 1)]
    app.run()
    assert len(told) == 1, "it is known by then"


def test_settings_that_only_one_method_has_are_not_compared(own_workspace: Path) -> None:
    workspace = Workspace(own_workspace)
    entry = workspace.list_modules()[0]
    module = JointSaeSettings(widths=(16, 4), beta=2.5)
    training = TrainingSettings(epochs=2, pretrain_epochs=0, patience=2)
    other = run_steps(train_module(workspace, CATEGORY, module, training))
    sides = [Side(place, CATEGORY, BIRD, e.run, e) for place, e in ((LEFT, entry), (RIGHT, other))]
    assert describe_difference(workspace, *sides).endswith(
        "They differ in method (SRAE and SAE, trained jointly), widths (16 × 8 and 16 × 4), "
        "beta (1.0 and 2.5), patience (none and 2)."
    )


def test_paired_maps_are_at_the_same_place(two_modules: Path, open_app: OpenApp) -> None:
    app = open_app(two_modules, "compare")
    texts = read_texts(app)
    table = re.findall(r"\| \*\*([A-Z])\*\* \| (\S+(?: \d)?) \| (\S+(?: \d)?) \|", texts)
    labels = [link.proto.label for link in app.main.get("page_link")]
    (one,) = [row for row in table if row[0] == "A"]
    assert {label for label in labels if label.startswith("**A**")} == {
        f"**A** {title}" for title in one[1:] if title != "–"
    }
    missing = [row[0] for row in table if row[2] == "–"]
    assert sum(c.value.endswith("no partner") for c in app.caption) == 4 * len(missing)


def test_a_map_of_a_module_opens_the_photo_with_its_x_feature(
    two_modules: Path, open_app: OpenApp
) -> None:
    app = open_app(two_modules, "compare")
    runs = {
        format_run(e.run) for e in Workspace(two_modules).list_modules() if e.category == CATEGORY
    }
    opened = set()
    for link in app.main.get("page_link"):
        label, asked = link.proto.label, parse_qs(link.proto.query_string)
        if " x-feature " in label:
            assert link.proto.page == "photo"
            assert label.endswith(asked["feature"][0])
            assert asked["photos_of"] == [BIRD]
            opened.add((asked["run"][0], asked["photo"][0]))
    assert {run for run, _ in opened} == runs
    assert len(opened) == 2 * 4, "four photos under both modules"
    app = open_app(two_modules, "compare", right_by="PCA probe")
    assert not app.error
    runs = {parse_qs(link.proto.query_string)["run"][0] for link in app.main.get("page_link")}
    assert len(runs) == 1, "a probe has no page of its own"


def test_contributions_and_scores_are_below_the_maps(two_modules: Path, open_app: OpenApp) -> None:
    app = open_app(two_modules, "compare")
    workspace = Workspace(two_modules)
    texts = read_texts(app)
    ids = {int(word) for word in re.findall(r"Painted bird (\d+), an? ", _read_alts(app))}
    assert ids == {1, 2, 3, 4}
    for image_id in ids:
        image = load_parts(workspace.dataset.get_photo(image_id)).image
        for entry in (e for e in workspace.list_modules() if e.category == CATEGORY):
            explanation = workspace.networks.explain(entry, image)
            error = abs(explanation.y_bar - explanation.y_hat)
            assert (
                f"score {format_number(explanation.y_hat)} · "
                f"module's {format_number(explanation.y_bar)} · "
                f"error {error:.2f}" in texts
            )
            for value, active in zip(
                explanation.contributions, explanation.x_features, strict=True
            ):
                shown = format_signed(value) if active else "inactive"
                assert shown in texts


def _read_alts(app: AppTest) -> str:
    return "\n".join(str(image.proto) for image in app.image)


def test_swap_exchanges_left_and_right(two_modules: Path, open_app: OpenApp) -> None:
    app = open_app(two_modules, "compare")
    select(app, "Right: score of").set_value(OTHER).run()
    select(app, "Right: explained by").set_value("grad-cam").run()
    before = read_choices(app)
    assert before[2:] == [OTHER, "grad-cam"]
    app.button(key="compare-swap").click().run()
    assert read_choices(app) == [*before[2:], *before[:2]]
    assert not app.error
    assert "Grad-CAM on the left shows it in one map" in read_texts(app)
    assert "They explain two scores of one network" in read_texts(app)


def test_two_categories_on_the_same_photos(tiny_workspace: Path, open_app: OpenApp) -> None:
    workspace = Workspace(tiny_workspace)
    run = workspace.list_modules()[1].run
    app = open_app(tiny_workspace, "compare")
    select(app, "Right: score of").set_value(OTHER).run()
    select(app, "Right: explained by").set_value(run).run()
    assert not app.error
    texts = read_texts(app)
    assert "**Ember-capped Finch** (left) and **Harebell-capped Finch** (right)" in texts
    assert "Method, settings and seed are the same." in texts
    assert select(app, "Photos of").value == CATEGORY
    # The right module has not been measured, which is reported in its place.
    assert "has not been measured yet" in texts
    assert "the two rebuilt scores" not in texts


def test_scores_as_a_whole_on_both_sides(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(
        tiny_workspace, "compare", left_category="Coral-billed Shrike", left_by="Grad-CAM"
    )
    assert not app.error
    assert not app.warning
    assert read_choices(app) == [
        "011.Coral_billed_Shrike",
        "grad-cam",
        "011.Coral_billed_Shrike",
        "excitation-bp",
    ]
    assert len(app.image) == 4 * 3
    workspace = Workspace(tiny_workspace)
    photo = workspace.held_out[10]
    assert photo.category == "011.Coral_billed_Shrike"
    pixels = workspace.networks.prepare_image(load_parts(photo).image)
    _, logits = workspace.networks.compute_scores(pixels[np.newaxis])
    assert f"Network's score {format_number(float(logits[0, 10]))}" in read_texts(app)


def test_locality_of_a_whole_score_is_measured_on_the_module_s_test_photos(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "compare")
    workspace = Workspace(tiny_workspace)
    test = set(workspace.load_record(workspace.list_modules()[0]).split["test"])
    (photo,) = (p for p in workspace.dataset.photos_of(CATEGORY) if p.image_id in test)
    parts = load_parts(photo)
    heat = workspace.networks.explain_score(CATEGORY, parts.image)
    shares = parts.measure(heat[np.newaxis]).values[0]
    shares = shares[shares > 0] / shares.sum()
    entropy = float(-(shares * np.log(shares)).sum())
    line = next(x for x in read_texts(app).splitlines() if x.startswith("| Locality, test"))
    assert line.split("|")[3].strip() == f"{entropy:.2f}"


def test_missing_measures_are_reported_once(own_workspace: Path, open_app: OpenApp) -> None:
    for entry in Workspace(own_workspace).list_modules():
        entry.metrics_path.unlink(missing_ok=True)
    bird = "Harebell-capped Finch"
    by = Workspace(own_workspace).list_modules()[0].run
    app = open_app(own_workspace, "compare", right_category=bird)
    select(app, "Right: explained by").set_value(by).run()
    assert not app.error
    assert read_texts(app).count("has not been measured yet") == 1
    assert "Mean error, test" not in read_texts(app)
    assert not app.get("plotly_chart")
    assert "the mean error is" in read_texts(app)


def test_pages_of_photos(
    own_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(own_workspace, "compare")
    assert not app.get("pagination")  # all photos fit on one page
    assert "Test photo" in read_texts(app)
    monkeypatch.setattr(maps, "PHOTOS_A_PAGE", 3)
    app = open_app(own_workspace, "compare", **{choosing.PAGE: "2"})
    assert app.get("pagination")[0].value == 2
    assert not app.warning
    select(app, "Photos of").set_value("012.Lantern_bellied_Shrike").run()
    assert not app.error
    assert app.get("pagination")[0].value == 1
    assert "Painted bird 45, a Lantern-bellied Shrike" in _read_alts(app)


def test_another_module_in_the_sidebar_restores_the_defaults(
    two_modules: Path, open_app: OpenApp
) -> None:
    app = open_app(two_modules, "compare")
    select(app, "Left: explained by").set_value("grad-cam").run()
    select(app, "Category").set_value(OTHER).run()
    run = next(e.run for e in Workspace(two_modules).list_modules() if e.category == OTHER)
    assert read_choices(app) == [OTHER, run, OTHER, "excitation-bp"]
    assert select(app, "Photos of").value == OTHER
    assert not app.error


def test_identical_sides_are_reported(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "compare", left_by="ExcitationBP", right_by="ExcitationBP")
    assert "Both sides are the same" in read_texts(app)
    assert not app.error


def test_link_opens_the_same_view(two_modules: Path, open_app: OpenApp) -> None:
    app = open_app(two_modules, "compare")
    select(app, "Right: score of").set_value(OTHER).run()
    select(app, "Photos of").set_value("005.Stipple_breasted_Thrush").run()
    select(app, "Map layer").set_value("pool2").run()
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    other = open_app(two_modules, "compare", **params)
    assert not other.warning
    assert other.code[-1].value == link
    assert read_choices(other) == read_choices(app)
    assert select(other, "Photos of").value == "005.Stipple_breasted_Thrush"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left_category", "Dodo"),
        ("right_category", "<script>"),
        ("left_by", "Grad-DOG"),
        ("right_by", "NN, 9 x-features, seed 3"),
        ("compare_photos_of", "Dodo"),
        ("compare_page", "99"),
        ("pair", "Z"),
    ],
)
def test_unknown_values_in_a_link_are_reported(
    tiny_workspace: Path, open_app: OpenApp, name: str, value: str
) -> None:
    app = open_app(tiny_workspace, "compare", **{name: value})
    assert not app.exception
    assert not app.error
    assert len(app.warning) == 1
    assert "The link asks for the" in app.warning[0].value
    assert "<" not in app.warning[0].value
    assert read_choices(app)[0] == CATEGORY
    app.run()
    assert not app.warning


def test_a_damaged_module_is_reported_once(own_workspace: Path, open_app: OpenApp) -> None:
    Workspace(own_workspace).list_modules()[0].path.write_bytes(b"garbage")
    app = open_app(own_workspace, "compare")
    assert not app.exception
    assert len(app.error) == 1
    assert "On the left" in app.error[0].value
    assert "module.safetensors" in app.error[0].value
    app = select(app, "Left: explained by").set_value("grad-cam").run()
    assert not app.exception
    assert not app.error
    assert len(app.image) == 4 * 3


def test_a_photo_that_vanishes_does_not_affect_the_others(
    own_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(own_workspace, "compare")
    Workspace(own_workspace).dataset.get_photo(2).path.unlink()
    app.run()
    assert not app.exception
    assert any("cannot be read" in error.value for error in app.error)
    assert len(app.image) == 3 * 7


def test_states_without_workspace_or_modules(
    tmp_path: Path, own_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tmp_path / "nowhere", "compare")
    assert app.title[0].value == "No workspace yet"
    shutil.rmtree(own_workspace / "modules")
    app = open_app(own_workspace, "compare")
    assert app.title[0].value == "No module yet"
    assert not app.error


def load_both(workspace: Workspace, by: str = "excitation-bp") -> tuple[SideNumbers, SideNumbers]:
    entry = workspace.list_modules()[0]
    return (
        load_numbers(workspace, Side(LEFT, CATEGORY, BIRD, entry.run, entry)),
        load_numbers(workspace, Side(RIGHT, CATEGORY, BIRD, by, None)),
    )


def test_csv_has_every_number(tiny_workspace: Path) -> None:
    workspace = Workspace(tiny_workspace)
    both = load_both(workspace)
    pairs = tuple(Pair(feature, None, None) for feature in (2, 0, 1, 3, 4))
    photos = workspace.dataset.photos_of(CATEGORY)
    text = make_csv(make_columns(both, pairs, photos)).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4 * (5 + 1)
    mine = [row for row in rows if row["image_id"] == "3" and row["side"] == "left"]
    explanation = workspace.networks.explain(
        workspace.list_modules()[0], load_parts(photos[2]).image
    )
    assert [float(row["contribution"]) for row in mine] == pytest.approx(
        explanation.contributions.tolist(), abs=1e-4
    )
    assert [row["map"] for row in mine] == [f"x-feature {row['x_feature']}" for row in mine]
    assert float(mine[0]["y_bar"]) == pytest.approx(explanation.y_bar, abs=1e-4)
    (whole,) = [row for row in rows if row["image_id"] == "3" and row["side"] == "right"]
    assert float(whole["y_hat"]) == pytest.approx(explanation.y_hat, abs=1e-4)
    assert (whole["y_bar"], whole["contribution"], whole["explained_by"]) == (
        "",
        "",
        "excitation-bp",
    )
    assert sorted(row["split"] for row in rows if row["side"] == "right") == ["test"] + 3 * [
        "train"
    ]


def test_csv_of_a_probe(tiny_workspace: Path) -> None:
    workspace = Workspace(tiny_workspace)
    both = load_both(workspace, "pca")
    text = make_csv(make_columns(both, (), workspace.dataset.photos_of(CATEGORY))).decode()
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["side"] == "right"]
    assert len(rows) == 4 * 5
    assert [row["map"] for row in rows[:5]] == [f"component {n}" for n in range(1, 6)]
    assert {row["x_feature"] for row in rows} == {""}
    # ȳ minus the contributions is a constant.
    rest = {
        round(float(own[0]["y_bar"]) - sum(float(row["contribution"]) for row in own), 4)
        for own in (rows[start : start + 5] for start in range(0, 20, 5))
    }
    assert len(rest) == 1


def test_zip_has_every_map(tiny_workspace: Path) -> None:
    workspace = Workspace(tiny_workspace)
    photos = workspace.dataset.photos_of(CATEGORY)[:2]
    for by, count, last in (
        ("grad-cam", 1, "id2_2-right_grad-cam.png"),
        ("nmf", 3, "id2_2-right_component-3.png"),
    ):
        packed = make_pictures(workspace, load_both(workspace, by), photos, STYLE)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = archive.namelist()
            assert len(names) == 2 * (5 + count)
            assert "id1_1-left_x-feature-5.png" in names
            with Image.open(archive.open(last)) as picture:
                assert picture.size == (512, 512)


@pytest.mark.parametrize("name", UNTRAINED)
def test_every_method_without_a_module_can_be_drawn(
    tiny_workspace: Path, open_app: OpenApp, name: str
) -> None:
    method = UNTRAINED[name]
    app = open_app(tiny_workspace, "compare", right_by=method.title)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert read_choices(app)[3] == name
    workspace = Workspace(tiny_workspace)
    case = Case(workspace, run_steps(workspace.networks.compute_features()), CATEGORY, 0)
    source = run_steps(method.prepare(case))
    photo = workspace.dataset.photos_of(CATEGORY)[0]
    pixels = workspace.networks.prepare_image(load_parts(photo).image)
    assert len(app.image) == 4 * (1 + 5 + len(source.draw(pixels, "relu1")))
    texts = read_texts(app)
    z, logits = workspace.networks.compute_scores(pixels[np.newaxis])
    activations = source.activate(z, logits)[0]
    if source.explain is not None and source.v is not None:
        y_bar = float(source.explain(z)[1][0])
        error = abs(y_bar - logits[0, 0])
        assert f"probe's {format_number(y_bar)} · error {format_number(error)}" in texts
        for contribution in activations * source.v:
            assert format_signed(contribution) in texts
        assert f"{len(activations)} of {len(activations)}" in texts
    for label in source.names:
        assert label in texts
    (locality,) = (x for x in texts.splitlines() if x.startswith("| Locality, test"))
    assert float(locality.split("|")[3]) > 0
    # The link opens the same view.
    link = app.code[-1].value
    params = {key: values[0] for key, values in parse_qs(urlsplit(link).query).items()}
    again = open_app(tiny_workspace, "compare", **params)
    assert not again.warning
    assert again.code[-1].value == link


def test_all_methods_without_a_module_are_offered(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "compare")
    offered = select(app, "Left: explained by").options[1:]
    assert offered == [
        method.title for method in METHODS.values() if not isinstance(method, TrainedMethod)
    ]
    assert set(offered) > {"PCA probe", "NMF probe", "Z", "ExcitationBP", "Grad-CAM"} - {offered[0]}


def test_two_probes_are_paired_and_described(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "compare", left_by="PCA probe", right_by="Z")
    assert not app.error
    texts = read_texts(app)
    assert f"**Left:** {UNTRAINED['pca'].summary} **Right:** {UNTRAINED['z'].summary}" in texts
    table = re.findall(r"\| \*\*([A-P])\*\* \| (component \d|–) \| (Z \d+) \|", texts)
    assert len(table) == 16
    assert sum(one == "–" for _, one, _ in table) == 11


def test_a_method_that_cannot_be_prepared_is_reported(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(type(UNTRAINED["pca"]), "fit", fail)
    app = open_app(tiny_workspace, "compare", right_by="PCA probe")
    assert not app.exception
    assert [error.value for error in app.error] == [
        "On the right: PCA probe cannot be fitted to what the network sees in this category. "
        "Choose another explanation there."
    ]
    assert not app.image


def test_a_method_without_maps_is_reported(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(UNTRAINED["z"]), "choose", lambda *_: [])
    app = open_app(tiny_workspace, "compare", left_by="Z")
    assert not app.exception
    assert "On the left: Z has no map for this category." in app.error[0].value


def test_a_photo_missing_from_the_start_does_not_affect_the_others(
    own_workspace: Path, open_app: OpenApp
) -> None:
    Workspace(own_workspace).dataset.get_photo(2).path.unlink()
    app = open_app(own_workspace, "compare")
    assert not app.exception
    assert len(app.error) == 1
    assert "cannot be read" in app.error[0].value
    assert len(app.image) == 3 * 7
    assert len(app.get("download_button")) == 4
    # A probe cannot be fitted without one of its photos.
    app = open_app(own_workspace, "compare", right_by="NMF probe")
    assert not app.exception
    assert "On the right: The data set has no photo with id 2" in app.error[0].value
