"""Pages compute, read and draw no more than they show."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import pytest
from app_pages import find
from streamlit.testing.v1 import AppTest

from explorer.config import REPOSITORY_ROOT, WORKSPACE_VARIABLE, run
from explorer.data.photo import Photo
from explorer.measuring import parts
from explorer.measuring.classifier import measure_classifier
from explorer.ui.category import scatter, summary
from explorer.ui.shared import cached, drawings, figures, pictures
from explorer.ui.your_photo.own_photo import SAMPLE
from explorer.workspace.networks import Networks
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]

# Runs a page in a fresh process, and prints which slow libraries are imported at some calls, and
# whether torch is at the end.
SCRIPT = """
import sys
from streamlit.testing.v1 import AppTest
from explorer.ui.overview import example, categories as overview_categories
from explorer.ui.results import confusion

def watch(owner, name):
    call = getattr(owner, name)
    def tell(*args, **options):
        print(name, *({"torch", "scipy.stats"} & set(sys.modules)))
        return call(*args, **options)
    setattr(owner, name, tell)

watch(overview_categories, "show_numbers")
watch(example, "choose_example")
watch(confusion, "show_confusions")
app = AppTest.from_file(sys.argv[1], default_timeout=100)
app.switch_page(f"../pages/{sys.argv[2]}.py")
app.run()
assert not app.exception and not app.error, (app.exception, app.error)
print("network named", any("Network: vgg_small" in item.value for item in app.sidebar.caption))
print("end", "torch" in sys.modules)
"""


def run_alone(workspace: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = str(REPOSITORY_ROOT / "explorer" / "app.py")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, app, page],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_first_page_shows_the_birds_before_slow_libraries_are_imported(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(measure_classifier(Workspace(own_workspace)))
    assert run_alone(own_workspace, "overview", monkeypatch) == [
        "show_numbers",
        "choose_example",  # whose numbers need it
        "network named True",
        "end True",
    ]


def test_about_needs_no_torch(own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(measure_classifier(Workspace(own_workspace)))
    assert run_alone(own_workspace, "about", monkeypatch) == ["network named True", "end False"]


def test_results_shows_its_tables_before_torch_is_imported(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(measure_classifier(Workspace(own_workspace)))
    assert run_alone(own_workspace, "results", monkeypatch) == [
        "show_confusions scipy.stats",  # intervals need the latter; what follows needs torch
        "network named True",
        "end True",
    ]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, no_cache: None) -> list[tuple[int, int]]:
    """Return a list to which every drawn picture adds its size."""
    sizes: list[tuple[int, int]] = []
    render = drawings.render_overlay

    def count(shown: object, *args: object, **options: object) -> object:
        picture = render(shown, *args, **options)
        sizes.append(picture.shape[:2])
        return picture

    monkeypatch.setattr(drawings, "render_overlay", count)
    return sizes


@pytest.mark.parametrize("scale", ["own scale", "one for all"])
def test_a_gallery_draws_only_the_maps_it_shows(
    tiny_workspace: Path, open_app: OpenApp, drawn: list[tuple[int, int]], scale: str
) -> None:
    app = open_app(tiny_workspace, "x_feature", scale=scale)
    assert not app.error
    shown = len(app.image)
    assert shown > 0
    assert drawn == [(pictures.TILE_SIDE, pictures.TILE_SIDE)] * shown
    app.run()
    assert len(drawn) == shown


def test_photo_page_draws_tiles_small_and_one_map_large(
    tiny_workspace: Path, open_app: OpenApp, drawn: list[tuple[int, int]]
) -> None:
    app = open_app(tiny_workspace)
    # Five tiles; the map of one x-feature and that of the score.
    assert Counter(drawn) == {(pictures.TILE_SIDE, pictures.TILE_SIDE): 5, (512, 512): 2}
    shown = next(
        button
        for button in app.button
        if button.key and button.proto.icon and button.key.startswith("show-x-feature-")
    )
    other = next(n for n in range(1, 6) if shown.key != f"show-x-feature-{n}")
    app.button(key=f"show-x-feature-{other}").click().run()
    assert Counter(drawn) == {(pictures.TILE_SIDE, pictures.TILE_SIDE): 5, (512, 512): 3}


def test_a_photo_is_read_once_for_all_that_is_shown_of_it(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[int] = Counter()
    load = parts.load_photo

    def count(photo: Photo) -> object:
        read[photo.image_id] += 1
        return load(photo)

    monkeypatch.setattr(parts, "load_photo", count)
    for page in ("overview", "photo", "x_feature", "category", "compare"):
        assert not open_app(tiny_workspace, page).error
    assert read
    assert set(read.values()) == {1}


def test_the_scatter_and_its_numbers_are_computed_once(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def watch(owner: object, name: str) -> None:
        call = getattr(owner, name)

        def count(*args: object, **options: object) -> object:
            made.append(name)
            return call(*args, **options)

        monkeypatch.setattr(owner, name, count)

    watch(scatter, "render_scatter")
    watch(summary, "make_columns")
    watch(cached, "load_classifier_measures")
    app = open_app(tiny_workspace, "category")
    next(box for box in app.segmented_control if box.key == "feature").set_value(3).run()
    app.run()
    assert not app.error
    assert made == ["render_scatter", "load_classifier_measures"]


@pytest.mark.parametrize("page", ["photo", "x_feature", "compare", "results"])
def test_another_session_builds_no_figure_again(
    page: str, tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    style = go.Figure.__init__

    def count(self: go.Figure, *args: object, **options: object) -> None:
        built.append(page)
        style(self, *args, **options)

    monkeypatch.setattr(go.Figure, "__init__", count)
    first = open_app(tiny_workspace, page)
    charts = [chart.proto.spec for chart in first.get("plotly_chart")]
    assert len(built) >= len(charts) > 0
    built.clear()
    second = open_app(tiny_workspace, page)
    assert built == []
    assert [chart.proto.spec for chart in second.get("plotly_chart")] == charts


def test_figures_of_a_visitors_photo_are_not_kept_for_others(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(
        figures, "_draw", lambda render, *_: drawn.append(render.__name__) or go.Figure()
    )
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, parts="true")
    find(app.segmented_control, "Look at").set_value("pixel by pixel").run()
    assert not app.exception
    charts = {chart.key for chart in app.get("plotly_chart")}
    assert charts >= {"figure-pixels", "figure-contributions", "figure-partition"}
    assert charts >= {"figure-photo-histogram", "figure-your-photo-scores"}
    assert drawn == []


def test_sessions_share_one_workspace_and_one_network(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Networks] = []
    load = Networks._load_classifier

    def count(self: Networks) -> object:
        loaded.append(self)
        return load(self)

    monkeypatch.setattr(Networks, "_load_classifier", count)
    for page in ("photo", "category", "overview"):  # each opens a session of its own
        assert not open_app(tiny_workspace, page).error
    assert len(loaded) == 1
