import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_pages import find
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from explorer.config import Progress
from explorer.data.splits import draw_module_split
from explorer.jobs import control
from explorer.jobs.history import format_record
from explorer.jobs.store import (
    HISTORY_FILE,
    LOCK_FILE,
    LOG_FILE,
    REQUEST_FILE,
    get_jobs_folder,
    list_jobs,
    load_job,
    save_request,
    save_status,
)
from explorer.jobs.types import Job, JobRequest, JobState, JobStatus
from explorer.methods.registry import list_trained
from explorer.methods.srae_concepts import SraeConceptsSettings
from explorer.nn import devices
from explorer.settings.declaring import list_settings
from explorer.training.modules.plan import TrainingPlan
from explorer.training.modules.settings import TrainingSettings
from explorer.ui.training import fields, form
from explorer.workspace import networks
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("state_folder")
OpenApp = Callable[..., AppTest]
OpenForm = Callable[[Path], AppTest]
FIRST, SECOND, THIRD = (
    "001.Ember_capped_Finch",
    "002.Harebell_capped_Finch",
    "003.Moonbar_Warbler",
)


@pytest.fixture
def open_form(open_app: OpenApp) -> OpenForm:
    """Return a function that opens the Training page."""

    def run(workspace: Path) -> AppTest:
        app = open_app(workspace, "training")
        assert not app.exception
        assert not app.error
        return app

    return run


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_start_worker", lambda _: None)


@contextmanager
def put_job(workspace: Path | str, status: JobStatus | None = None, **fields: Any) -> Iterator[Job]:
    """Store a job; the lock of a live job is held until the block ends, as by a worker."""
    folder = get_jobs_folder() / f"{len(list_jobs())}"
    request = JobRequest(
        str(workspace), (THIRD,), "srae-k5-s0", {"q": 3.0, "widths": [16, 8]}, {"epochs": 2}
    )
    save_request(folder, replace(request, **{"created": time.time(), **fields}))
    if status is not None:
        save_status(folder, replace(status, updated=time.time()))
    lock = FileLock(folder / LOCK_FILE)
    if status is not None and status.state.is_live:
        lock.acquire()
    yield load_job(folder)
    lock.release(force=True)


RUNNING = JobStatus(
    JobState.RUNNING,
    category=THIRD,
    stage="Training",
    done=13,
    total=14,
    seconds_left=70.0,
    pid=1,
    detail="epoch 3 of 4",
)


def get_captions(app: AppTest) -> str:
    """Return all captions, unescaped."""
    return "\n".join(caption.value for caption in app.caption).replace("\\", "")


# The form


def test_the_default_settings_are_filled_in(tiny_workspace: Path, open_form: OpenForm) -> None:
    app = open_form(tiny_workspace)
    assert find(app.main.multiselect, "Categories").value == [FIRST]  # the one that is explained
    method = find(app.main.selectbox, "Method")
    assert method.value == "srae-concepts"
    assert method.options == [one.title for one in list_trained()]
    values = {box.label: box.value for box in app.main.number_input if not box.disabled}
    assert values == {
        **{"X-features": 5, "β": 1, "q": 100, "Evenness": 2, "Pull-away of maps": 12},
        **{"Epochs": 60, "Seed": 0},
    }
    assert find(app.main.text_input, "Widths").value == ""
    assert find(app.main.selectbox, "Train on").options == ["the fastest", "CPU"]
    assert f"CPU, {os.cpu_count()} cores" in get_captions(app)


USUAL_FIELDS, RARE_FIELDS = (
    {"X-features", "Epochs", "Seed"},
    {"Pretraining", "Batch size", "Learning rate", "Weight decay", "Patience"},
)


@pytest.mark.parametrize(
    ("method", "usual", "rare"),
    [
        ("srae", {"β", "q"}, {"Pull-away"}),
        ("srae-pull-away", {"β", "q"}, {"Pull-away"}),
        ("nn", set(), {"Pull-away"}),
        ("sae", set(), set()),
        ("joint-sae", {"β"}, {"Pull-away"}),
    ],
)
def test_a_method_has_the_fields_of_its_own_settings(
    tiny_workspace: Path, open_form: OpenForm, method: str, usual: set[str], rare: set[str]
) -> None:
    app = open_form(tiny_workspace)
    find(app.main.selectbox, "Method").set_value(method).run()
    assert list_labels(app) == USUAL_FIELDS | usual
    find(app.main.toggle, "More settings").set_value(True).run()
    assert list_labels(app) == USUAL_FIELDS | usual | RARE_FIELDS | rare
    assert [box.label for box in app.main.text_input] == ["Widths"]


def list_labels(app: AppTest) -> set[str]:
    """Return the labels of the numbers that can be filled in."""
    return {box.label for box in app.main.number_input if not box.disabled}


def test_settings_that_a_method_ignores_are_disabled_and_say_why(
    tiny_workspace: Path, open_form: OpenForm
) -> None:
    app = open_form(tiny_workspace)
    assert not find(app.main.number_input, "q").disabled
    find(app.main.selectbox, "Method").set_value("nn").run()
    unused = {box.label: box for box in app.main.number_input if box.disabled}
    assert unused.keys() == {"β", "q", "Evenness", "Pull-away of maps"}
    assert unused["q"].value is None
    assert unused["q"].help.startswith(
        "NN has no such setting. It belongs to SRAE, SRAE with pull-away, SRAE with concepts."
    )
    assert unused["β"].placeholder == "not used"
    find(app.main.selectbox, "Method").set_value("srae").run()
    assert find(app.main.number_input, "q").value == 100


def test_fields_match_the_declared_settings(tiny_workspace: Path, open_form: OpenForm) -> None:
    app = open_form(tiny_workspace)
    find(app.main.toggle, "More settings").set_value(True).run()
    boxes = {box.label: box for box in app.main.number_input if not box.disabled}
    declared = [*list_settings(SraeConceptsSettings), *list_settings(TrainingSettings)]
    numbers = {one.label: one for one in declared if one.name != "widths"}
    assert boxes.keys() == numbers.keys()
    for label, one in numbers.items():
        assert boxes[label].help == one.info.help
        assert boxes[label].value == one.default
    assert (boxes["X-features"].min, boxes["X-features"].max) == (1, 1024)
    assert (boxes["β"].min, boxes["β"].max) == (0, 1e6)
    assert (boxes["Patience"].min, boxes["Patience"].max) == (0, 1_000_000)
    assert boxes["q"].min == boxes["Learning rate"].min == 1e-9  # 0 itself is out of range
    assert boxes["Seed"].max == 2**53 - 1  # the largest exact integer in a browser
    widths = next(one for one in declared if one.name == "widths")
    box = find(app.main.text_input, "Widths")
    assert (box.help, box.placeholder) == (widths.info.help, "in proportion to Z")
    summaries = find(app.main.selectbox, "Method").help
    for method in list_trained():
        assert f"**{method.title}**: {method.summary}" in summaries


@pytest.mark.usefixtures("no_worker")
def test_a_methods_own_default_is_not_overruled_by_what_was_filled_in_for_another(
    tiny_workspace: Path, open_form: OpenForm
) -> None:
    app = open_form(tiny_workspace)
    find(app.main.toggle, "More settings").set_value(True).run()
    find(app.main.number_input, "Pull-away").set_value(0.25)
    find(app.main.number_input, "Epochs").set_value(4).run()
    find(app.main.selectbox, "Method").set_value("srae-pull-away").run()
    assert find(app.main.number_input, "Pull-away").value == 1
    assert find(app.main.number_input, "Epochs").value == 4
    find(app.main.button, "Train").click().run()
    (job,) = list_jobs(tiny_workspace)
    assert job.request.run == "srae-k5-s0-pull_away1.0-epochs4"
    assert (job.request.module["method"], job.request.module["pull_away"]) == ("srae", 1.0)


@pytest.mark.parametrize(
    ("method", "own"), [("srae", {"beta": 2.5, "q": 10.0}), ("nn", {}), ("joint-sae", {"beta": 3})]
)
@pytest.mark.usefixtures("no_worker")
def test_the_request_contains_what_is_filled_in(
    tiny_workspace: Path, open_form: OpenForm, method: str, own: dict[str, float]
) -> None:
    app = open_form(tiny_workspace)
    find(app.main.multiselect, "Categories").set_value([SECOND, THIRD])
    find(app.main.selectbox, "Method").set_value(method)
    find(app.main.toggle, "More settings").set_value(True).run()
    numbers = {"X-features": 3, "Seed": 7, "Epochs": 4, "Batch size": 32, "Patience": 2}
    numbers |= {"Pretraining": 1, "Learning rate": 0.01, "Weight decay": 0.0, "Pull-away": 0.5}
    numbers |= {{"beta": "β", "q": "q"}[name]: value for name, value in own.items()}
    for label, value in numbers.items():
        find(app.main.number_input, label).set_value(value)
    find(app.main.text_input, "Widths").set_value("32x 16")
    find(app.main.selectbox, "Train on").set_value("cpu").run()
    find(app.main.button, "Train").click().run()
    assert not app.exception
    (job,) = list_jobs(tiny_workspace)
    assert job.request.categories == (SECOND, THIRD)
    assert job.request.module == {
        "method": method,
        "x_features": 3,
        "widths": [32, 16],
        "pull_away": 0.5,
        **own,
    }
    assert job.request.training == {
        "epochs": 4,
        "pretrain_epochs": 1,
        "batch_size": 32,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "seed": 7,
        "patience": 2,
    }
    assert job.request.run.startswith(f"{method}-k3-s7-")
    assert (job.request.device, job.request.device_key) == ("cpu", "cpu")
    assert "**Harebell-capped Finch and Moonbar Warbler**" in [m.value for m in app.markdown]


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ("wide", "Widths cannot be 'wide': it takes whole numbers such as 800x100"),
        ("-5", "must be at least 1 and at most 1,048,576, not -5"),
        ("0", "must be at least 1 and at most 1,048,576, not 0"),
        ("99999999999999999999", "at most 1,048,576, not 99999999999999999999"),
        ("9" * 30, "it takes whole numbers such as 800x100"),
        ("1" + 16 * ",1", "it takes whole numbers such as 800x100"),
    ],
)
def test_invalid_widths_are_refused(
    tiny_workspace: Path, open_form: OpenForm, widths: str, words: str
) -> None:
    app = open_form(tiny_workspace)
    find(app.main.text_input, "Widths").set_value(widths).run()
    assert get_captions(app).count(words) == 1, "beside the field"
    assert "Correct “Widths” below" in get_captions(app)
    assert find(app.main.button, "Train").disabled
    find(app.main.text_input, "Widths").set_value("16x8").run()
    assert not find(app.main.button, "Train").disabled


def test_a_category_must_be_chosen(tiny_workspace: Path, open_form: OpenForm) -> None:
    app = open_form(tiny_workspace)
    find(app.main.multiselect, "Categories").set_value([]).run()
    assert "Choose at least one category" in get_captions(app)
    find(app.main.button, "Train").click().run()
    assert "Choose at least one category" in app.error[0].value
    assert not list_jobs()


def test_a_module_that_exists_is_told_before_the_click(
    tiny_workspace: Path, open_form: OpenForm
) -> None:
    app = open_form(tiny_workspace)
    assert "exists for" not in get_captions(app)
    find(app.main.selectbox, "Method").set_value("srae")
    find(app.main.toggle, "More settings").set_value(True).run()
    for label, number in {"Pretraining": 0, "Epochs": 2}.items():
        find(app.main.number_input, label).set_value(number)
    find(app.main.text_input, "Widths").set_value("16, 8").run()
    (told,) = [line for line in get_captions(app).splitlines() if "exists for" in line]
    assert "exists for Ember-capped Finch. “Train” first asks whether to replace it" in told
    find(app.main.number_input, "Seed").set_value(9).run()
    assert "exists for" not in get_captions(app)


def fill_in_what_is_there(app: AppTest) -> AppTest:
    """Fill in the settings of the modules that the workspace has, and click on Train."""
    find(app.main.multiselect, "Categories").set_value([FIRST, THIRD])
    find(app.main.selectbox, "Method").set_value("srae")
    find(app.main.toggle, "More settings").set_value(True).run()
    find(app.main.text_input, "Widths").set_value("16, 8")
    find(app.main.number_input, "Pretraining").set_value(0)
    find(app.main.number_input, "Epochs").set_value(2).run()
    return find(app.main.button, "Train").click().run()


@pytest.mark.parametrize(("answer", "seed"), [("Replace it", 0), ("Train another with seed 1", 1)])
@pytest.mark.usefixtures("no_worker")
def test_a_module_is_replaced_only_after_a_question(
    tiny_workspace: Path, open_form: OpenForm, answer: str, seed: int
) -> None:
    app = fill_in_what_is_there(open_form(tiny_workspace))
    assert not list_jobs()
    (asked,) = [m.value for m in app.markdown if "exists for" in m.value]
    assert "exists for Ember-capped Finch" in asked
    find(app.button, answer).click().run()
    assert not app.exception
    (job,) = list_jobs(tiny_workspace)
    assert job.request.categories == (FIRST, THIRD)
    assert job.request.training["seed"] == seed


@pytest.mark.usefixtures("no_worker")
def test_a_second_training_is_queued_and_a_duplicate_refused(
    tiny_workspace: Path, open_form: OpenForm
) -> None:
    with put_job(tiny_workspace, RUNNING):
        app = open_form(tiny_workspace)
        find(app.main.multiselect, "Categories").set_value([THIRD])
        find(app.main.selectbox, "Method").set_value("srae").run()
        assert "This very module of Moonbar Warbler is being trained" in get_captions(app)
        find(app.main.button, "Train").click().run()
        assert "is being trained already" in app.warning[0].value
        assert len(list_jobs()) == 1
        find(app.main.multiselect, "Categories").set_value([SECOND]).run()
        assert "1 training is ahead on this device" in get_captions(app)
        find(app.main.number_input, "Epochs").set_value(3).run()
        find(app.main.button, "Train").click().run()
        assert [job.request.categories for job in list_jobs()] == [(THIRD,), (SECOND,)]


def test_the_epochs_that_will_be_run_are_said_before(
    tiny_workspace: Path, open_form: OpenForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_form(tiny_workspace)
    opened = Workspace(tiny_workspace)
    photos = len(draw_module_split(opened.dataset, FIRST, opened.held_out, 0).train)
    told = f"Runs 60 epochs over {photos} photos, after 10 epochs of pretraining for each layer."
    assert told in [m.value for m in app.main.markdown]
    many = TrainingPlan(8_050, TrainingSettings().shorten(8_050))
    monkeypatch.setattr(form, "plan_training", lambda *_: many)
    app = open_form(tiny_workspace)
    assert (
        "Runs **21 of the 60 epochs**: over 8,050 photos, they take as many steps as 60 epochs "
        "over 2,688, after 4 epochs of pretraining for each layer."
    ) in [m.value for m in app.main.markdown]


@pytest.mark.usefixtures("no_worker")
def test_a_job_that_cannot_be_stored_is_reported(
    tiny_workspace: Path, open_form: OpenForm, state_folder: Path
) -> None:
    app = open_form(tiny_workspace)
    find(app.main.number_input, "Seed").set_value(5).run()
    state_folder.write_text("in the way")
    find(app.main.button, "Train").click().run()
    assert "cannot be stored" in app.error[0].value


def test_automatic_names_the_card_and_its_free_memory(
    tiny_workspace: Path, open_form: OpenForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_free(name: str) -> tuple[int, int] | None:
        return (71_300_000_000, 79_600_000_000) if name == "cuda:1" else None

    cards = {"cuda:1": "Card of cards", "cpu": "CPU"}
    for owner in (devices, fields):
        monkeypatch.setattr(owner, "list_devices", lambda: cards)
    monkeypatch.setattr(devices, "get_free_memory", get_free)
    monkeypatch.setattr(devices, "get_device_key", lambda name: name)
    app = open_form(tiny_workspace)
    assert "Card of cards, 71.3 of 79.6 GB free" in get_captions(app)
    box = find(app.main.selectbox, "Train on")
    assert box.options == ["the fastest", "Card of cards", "CPU"]
    box.set_value("cpu").run()
    assert "71.3" not in get_captions(app)


# The sidebar


def test_a_running_training_is_shown_on_every_page(tiny_workspace: Path, open_app: OpenApp) -> None:
    with put_job(tiny_workspace, RUNNING):
        for page in ("photo", "results", "about"):
            app = open_app(tiny_workspace, page)
            assert not app.exception
            assert "**Moonbar Warbler**" in [element.value for element in app.sidebar.markdown]
            assert "Training: epoch 3 of 4 · about 70 s left" in get_captions(app)
    with put_job("/elsewhere", RUNNING):
        app = open_app(tiny_workspace, "results")
    assert "about 70 s" not in get_captions(app)  # the first died, the second is not of here
    assert "Moonbar Warbler: The process ended unexpectedly" in get_captions(app)


def test_the_queue_is_shown(tiny_workspace: Path, open_app: OpenApp) -> None:
    waiting = JobStatus(JobState.WAITING, pid=1)
    with (
        put_job("/my/swans", RUNNING),
        put_job(tiny_workspace, waiting, categories=(FIRST, SECOND, THIRD)),
    ):
        app = open_app(tiny_workspace, "training")
        assert not app.exception
        told = "Waits for the CPU, behind Moonbar Warbler in /my/swans."
        assert told in get_captions(app)
        table = next(m.value for m in app.markdown if "| Training |" in m.value)
        rows = table.splitlines()[2:]
        assert "Moonbar Warbler" in rows[0]
        assert "running" in rows[0]
        assert "Ember-capped Finch, Harebell-capped Finch and 1 more" in rows[1]
        assert "waiting" in rows[1]
        find(app.main.number_input, "Seed").set_value(1).run()
        assert "2 trainings are ahead on this device" in get_captions(app)


@pytest.mark.usefixtures("no_worker")
def test_one_click_trains_the_current_category(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "about", category="Harebell-capped Finch")
    assert not app.sidebar.number_input  # settings stand on the Training page
    assert find(app.sidebar.selectbox, "Train a module for").value == SECOND
    assert "Trains SRAE with concepts, 5 x-features, seed 0." in get_captions(app)
    find(app.sidebar.button, "Train").click().run()
    assert not app.exception
    (job,) = list_jobs(tiny_workspace)
    assert job.request.categories == (SECOND,)
    assert job.request.run == "srae-concepts-k5-s0"
    assert job.request.training["epochs"] == 60
    # The same click again trains another module, and never the same one twice.
    assert "Trains SRAE with concepts, 5 x-features, seed 1." in get_captions(app)
    find(app.sidebar.button, "Train").click().run()
    assert [job.request.run for job in list_jobs()] == [
        "srae-concepts-k5-s0",
        "srae-concepts-k5-s1",
    ]
    find(app.sidebar.selectbox, "Train a module for").set_value(THIRD).run()
    find(app.sidebar.button, "Train").click().run()
    assert list_jobs()[2].request.categories == (THIRD,)


@pytest.mark.usefixtures("no_worker")
def test_a_device_can_be_chosen_once_the_devices_are_known(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in (devices, networks):
        monkeypatch.setattr(owner, "list_devices", lambda: {"meta": "Toy", "cpu": "CPU"})
    app = open_app(tiny_workspace)
    app.run()
    box = find(app.sidebar.selectbox, "Train on")
    assert box.options == ["the fastest", "Toy", "CPU"]
    box.set_value("cpu").run()
    find(app.sidebar.button, "Train").click().run()
    assert list_jobs()[0].request.device == "cpu"


@pytest.mark.usefixtures("no_worker")
def test_cancel_in_the_sidebar(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    find(app.sidebar.button, "Train").click().run()
    find(app.sidebar.button, "Cancel").click().run()
    assert not app.exception
    assert list_jobs()[0].state is JobState.CANCELLING  # there is no worker to heed it
    assert "Stopping" in get_captions(app)


def test_the_module_of_a_finished_training_appears(own_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(own_workspace, "training")
    category = next(box for box in app.selectbox if box.label == "Category")
    assert "Moonbar Warbler" not in category.options
    find(app.main.multiselect, "Categories").set_value([THIRD])
    find(app.toggle, "More settings").set_value(True).run()
    find(app.number_input, "Pretraining").set_value(0)
    find(app.number_input, "Epochs").set_value(2).run()
    find(app.main.button, "Train").click().run()
    deadline = time.monotonic() + 90
    while list_jobs()[0].state.is_live:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert list_jobs()[0].state is JobState.FINISHED, list_jobs()[0].message
    app.run()
    assert not app.exception
    category = next(box for box in app.selectbox if box.label == "Category")
    assert "Moonbar Warbler" in category.options
    assert app.success[0].value == "1 module trained and measured."
    category.set_value(THIRD).run()
    app.switch_page("../pages/photo.py").run()
    assert not app.exception
    assert app.title[0].value == "Why “Moonbar Warbler”?"
    assert app.metric


# The page


def test_nothing_trained_yet(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "training")
    assert not app.exception
    assert "Nothing has been trained from here yet" in app.info[0].value


def test_curves_settings_and_log(tiny_workspace: Path, open_app: OpenApp) -> None:
    records = [Progress("Pretraining", 1, 3, {"reconstruction": 0.5})]
    values = {"total": 2.0, "faithfulness": 1.5, "reconstruction": 0.5, "pull_away": 0.0}
    values["unity"] = 0.25  # a term of a method that does not exist yet
    values["map_pull_away"] = 0.125
    values |= {"f_reg_train": 0.25, "f_reg_test": 0.75}
    records += [Progress("Training", done, 3, values) for done in (2, 3)]
    with put_job(tiny_workspace, RUNNING) as job:
        lines = [format_record(THIRD, record) for record in records]
        (job.folder / HISTORY_FILE).write_text("".join(lines))
        (job.folder / LOG_FILE).write_text("said by the worker")
        app = open_app(tiny_workspace, "training")
        assert not app.exception
        assert not app.error
        assert "0.750 on test photos and 0.250 on training photos" in get_captions(app)
        loss, f_reg = app.get("plotly_chart")
        names = [trace["name"] for trace in json.loads(loss.proto.spec)["data"]]
        # Pull-away is zero, and left out; settings have the names that they have in the form.
        assert names == [
            *("Total", "Faithfulness", "Reconstruction", "Unity", "Pull-away of maps"),
            "Pretraining",
        ]
        assert "Test photos" in f_reg.proto.spec
        assert "said by the worker" in [block.value for block in app.code]
        settings = next(m.value for m in app.markdown if "| Setting |" in m.value)
        assert "| widths | 16, 8 |" in settings
        assert "| epochs | 2 |" in settings

        (job.folder / HISTORY_FILE).write_text("".join(lines[:1]))
        app = open_app(tiny_workspace, "training")
        assert "Layers are pretrained one by one" in get_captions(app)
        assert len(app.get("plotly_chart")) == 1


@pytest.mark.usefixtures("no_worker")
def test_a_dead_training_is_reported_and_can_be_restarted(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    with put_job(tiny_workspace, RUNNING):
        pass
    app = open_app(tiny_workspace, "training")
    assert "it was killed" in app.error[0].value
    find(app.button, "Start again").click().run()
    assert not app.exception
    dead, again = list_jobs()
    assert dead.state is JobState.DIED
    assert replace(again.request, created=0.0) == replace(dead.request, created=0.0)
    assert again.request.created > dead.request.created
    assert not app.error  # the new one is shown
    find(app.selectbox, "Training").set_value(dead.id).run()
    find(app.button, "Remove from this list").click().run()
    assert not app.exception
    assert [job.id for job in list_jobs()] == [again.id]


def test_a_damaged_training_does_not_affect_the_others(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    with put_job(tiny_workspace, RUNNING) as damaged:
        pass
    (damaged.folder / REQUEST_FILE).write_text("{")
    ended = JobStatus(JobState.FAILED, "The disk is full.", pid=1)
    (damaged.folder.parent / "9").mkdir()
    save_request(damaged.folder.parent / "9", damaged.request)
    save_status(damaged.folder.parent / "9", ended)
    app = open_app(tiny_workspace, "training")
    assert not app.exception
    assert "cannot be read" in app.warning[0].value
    assert [e.value for e in app.error] == ["The disk is full."]


def test_the_page_without_a_workspace_or_a_network(
    tmp_path: Path, own_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tmp_path / "nowhere", "training")
    assert not app.exception
    assert "is not a workspace" in app.error[0].value
    save_settings(own_workspace, WorkspaceSettings(dataset="birds"))
    app = open_app(own_workspace, "training")
    assert app.title[0].value == "No network yet"
    assert not app.multiselect


def test_a_workspace_that_vanished_during_a_training_is_reported(
    tmp_path: Path, open_app: OpenApp
) -> None:
    gone = tmp_path / "gone"
    with put_job(gone, JobStatus(JobState.FAILED, "The workspace has vanished.", pid=1)):
        app = open_app(gone)
    (warning,) = app.warning
    assert "Moonbar Warbler has ended: The workspace has vanished." in warning.value.replace(
        "\\", ""
    )


@pytest.mark.usefixtures("no_worker")
def test_a_workspace_without_modules_offers_to_train_one(
    own_workspace: Path, open_app: OpenApp
) -> None:
    for path in (own_workspace / "modules").glob("*/*/*"):
        path.unlink()
    app = open_app(own_workspace)
    assert app.title[0].value == "No module yet"
    find(app.main.selectbox, "Train a module for").set_value(SECOND).run()
    find(app.main.button, "Train").click().run()
    assert not app.exception
    (job,) = list_jobs(own_workspace)
    assert job.request.categories == (SECOND,)
    assert job.request.run == "srae-concepts-k5-s0"
    assert not app.main.button


def test_a_choice_for_a_training_does_not_overrule_a_link(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    app.query_params["category"] = "Harebell-capped Finch"  # as a link does
    find(app.sidebar.selectbox, "Train a module for").set_value(THIRD).run()
    assert app.title[0].value == "Why “Harebell-capped Finch”?"
