import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

import pytest
from app_pages import read_texts
from steps import run_steps
from streamlit.testing.v1 import AppTest

from explorer.data.cub import CubDataset
from explorer.data.names import count_words
from explorer.methods.srae import SraeSettings
from explorer.quiz.answers import summarise
from explorer.quiz.pooling import read_sheet
from explorer.quiz.questions import CONDITIONS, Question
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.ui.quiz import attempt
from explorer.ui.quiz.attempt import QuizSession
from explorer.ui.quiz.results import make_results_csv, make_results_json
from explorer.workspace.layout import CLASSIFIER_FILE
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
# The category that the untrained network of the tiny workspace predicts for nearly every photo.
FAVOURITE = "008.Honey_bibbed_Bunting"


@pytest.fixture(scope="module")
def quiz_workspace(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a module for every prediction of the network. Read only."""
    path = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("quiz") / "quiz"))
    training = TrainingSettings(epochs=2, pretrain_epochs=0)
    run_steps(train_module(Workspace(path), FAVOURITE, SraeSettings(widths=(16, 8)), training))
    return path


@pytest.fixture
def own_quiz_workspace(quiz_workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(quiz_workspace, tmp_path / "own"))


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(attempt, "read_clock", stopped)
    return stopped


def begin(app: AppTest) -> AppTest:
    return app.button(key="quiz-start").click().run()


def get_session(app: AppTest) -> QuizSession:
    return app.session_state["quiz_session"]


def answer(app: AppTest, category: int) -> AppTest:
    run = get_session(app).run
    number = run.questions[run.position].options.index(category) + 1
    return app.button(key=f"quiz-answer-{run.position}-{number}").click().run()


def read_truth(workspace: Path) -> tuple[dict[int, int], dict[int, int]]:
    """Return the category of each photo and the network's prediction, without the app."""
    opened = Workspace(workspace)
    features = run_steps(opened.networks.compute_features())
    labels = {photo.image_id: photo.category_index for photo in opened.dataset.photos}
    ids = features.image_ids.tolist()
    return labels, dict(zip(ids, features.logits.argmax(axis=1).tolist(), strict=True))


def test_the_start_describes_the_quiz(quiz_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(quiz_workspace, "quiz")
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.title[0].value == "What bird is it?"
    texts = read_texts(app)
    assert "The birds are invented" in texts
    assert "Reloading the page ends the quiz" in texts
    labels, network = read_truth(quiz_workspace)
    held_out = [photo.image_id for photo in Workspace(quiz_workspace).held_out]
    right = sum(labels[photo] == network[photo] for photo in held_out)
    wrong = max(3, 10 - right)
    counts = [int(count) for count in re.findall(r"\*\*(\d+)\*\* photo", texts)]
    assert sorted(counts) == [3, 3, 4]
    assert f"The network is wrong on **{wrong}**" in texts
    assert f"The network gets no more than {count_words(10 - wrong, 'photo')} right" in texts
    assert not app.image


def test_a_whole_quiz_with_known_answers(
    quiz_workspace: Path, open_app: OpenApp, clock: Clock
) -> None:
    app = begin(open_app(quiz_workspace, "quiz", quiz_questions="12", quiz_seed="3"))
    labels, network = read_truth(quiz_workspace)
    asked = []
    for position in range(12):
        assert not app.error
        assert not app.exception
        question = get_session(app).run.questions[position]
        truth, said = labels[question.image_id], network[question.image_id]
        texts = read_texts(app)
        assert ("It may be wrong" in texts) == (question.condition != "photo only")
        assert app.title[0].value == "What bird is it?"
        # One photo, three examples of each of four birds (they have three training photos), maps.
        maps = len(app.image) - 1 - 4 * 3
        assert maps > 0 if question.is_explained else maps == 0
        assert app.get("progress")[0].text == f"Question {position + 1} of 12"
        # Truth, network and truth again, turn by turn; a third bird every third time.
        third = next(k for k in question.options if k not in (truth, said))
        chosen = (truth, said, third)[position % 3]
        clock.now += 1 + position * position
        app = answer(app, chosen)
        asked.append((question.condition, truth, said, chosen, 1 + position * position))

    assert not app.error
    right = sum(chosen == truth for _, truth, _, chosen, _ in asked)
    assert app.title[0].value == f"You named {right} of 12 birds"
    network_right = sum(truth == said for _, truth, said, _, _ in asked)
    assert f"The network named {network_right} of these 12." in read_texts(app)
    metrics = [(metric.label, metric.value) for metric in app.metric]
    for place, condition in enumerate(CONDITIONS):
        group = [row[1:] for row in asked if row[0] == condition]
        assert len(group) == 4
        wrong = [row for row in group if row[0] != row[1]]
        agreeing = [row for row in group if row[0] == row[1]]
        named = sum(truth == chosen for truth, _, chosen, _ in group)
        followed = sum(said == chosen for _, said, chosen, _ in wrong)
        agreed = sum(said == chosen for _, said, chosen, _ in agreeing)
        assert metrics[4 * place : 4 * place + 4] == [
            ("Birds named", f"{named} of 4"),
            ("Median time", f"{median(row[3] for row in group):.1f} s"),
            ("Agreed with the network when wrong", f"{followed} of {len(wrong)}"),
            (
                "Agreed with the network when right",
                f"{agreed} of {len(agreeing)}" if agreeing else "–",
            ),
        ]
    assert len(app.image) == 12
    assert "1.0 s" in read_texts(app)
    assert "82.0 s" in read_texts(app)
    assert sum("photo" in link.proto.page for link in app.main.get("page_link")) >= 12


def test_a_quiz_in_which_the_network_is_never_wrong_says_so(
    quiz_workspace: Path, open_app: OpenApp
) -> None:
    asked = {"quiz_questions": "1", "quiz_wrong": "0", "quiz_condition": "photo + answer"}
    app = open_app(quiz_workspace, "quiz", **asked)
    texts = read_texts(app)
    assert "**The network is right on all of them.**" in texts
    assert "The network is right on **all**" in texts
    assert "sometimes wrong" not in texts
    texts = read_texts(begin(app))
    assert "It is right on all photos of this quiz." in texts
    assert "It may be wrong" not in texts


def test_a_network_without_mistakes_is_told(
    quiz_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = attempt.draw_quiz

    def draw_right(*facts: object) -> tuple[Question, ...]:
        return tuple(replace(one, network=one.truth) for one in draw(*facts))

    monkeypatch.setattr(attempt, "draw_quiz", draw_right)
    texts = read_texts(open_app(quiz_workspace, "quiz"))
    assert "There is no photo to ask about that the network gets wrong." in texts
    assert "no more than" not in texts


def test_results_of_a_class_need_no_photos(
    quiz_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CubDataset, "has_photos", False)
    app = open_app(quiz_workspace, "quiz")
    assert not app.exception
    assert not [button for button in app.button if button.key == "quiz-start"]
    assert "Results of a class" in [header.value for header in app.header]
    assert [one.label for one in app.file_uploader] == ["Result files"]


def play(app: AppTest, choose: Callable[[QuizSession], int]) -> AppTest:
    app = begin(app)
    while not get_session(app).run.is_over:
        app = answer(app, choose(get_session(app)))
    return app


def follow(session: QuizSession) -> int:
    return session.run.questions[session.run.position].network


def test_files_contain_everything(quiz_workspace: Path, open_app: OpenApp, clock: Clock) -> None:
    app = open_app(quiz_workspace, "quiz", quiz_questions="4", quiz_wrong="100", quiz_seed="5")
    app.text_input(key="quiz_participant").set_value("=P 07/ä").run()
    app = play(app, follow)
    workspace, session = Workspace(quiz_workspace), get_session(app)
    content = json.loads(make_results_json(workspace, session))
    about, questions = content["quiz"], content["questions"]
    assert about["participant"] == "P 07ä"
    assert about["classifier_sha256"] == workspace.settings.classifier_sha256
    assert (about["seed"], about["questions_wanted"], about["wrong_share_wanted"]) == (5, 4, 1.0)
    assert about["quiz_condition"] == "photo only, photo + answer, photo + explanation"
    assert about["map_layer"] == "relu1"
    sheet = read_sheet(make_results_json(workspace, session))
    assert summarise(sheet.answers) == summarise(session.run.answers)
    assert [question["position"] for question in questions] == [1, 2, 3, 4]
    labels, network = read_truth(quiz_workspace)
    names = workspace.dataset.categories
    (run,) = {entry.run for entry in workspace.list_modules()}
    for question in questions:
        image_id = question["image_id"]
        assert question["true_category"] == names[labels[image_id]]
        assert question["network_answer"] == question["answer"] == names[network[image_id]]
        assert question["followed_network"] is True
        assert question["is_right"] is (labels[image_id] == network[image_id])
        explained = question["condition"] == "photo + explanation"
        assert question["module"] == (run if explained else None)
        assert question["true_category"] in question["options"]
    rows = list(csv.DictReader(io.StringIO(make_results_csv(workspace, session).decode())))
    assert len(rows) == 4
    for row, question in zip(rows, questions, strict=True):
        assert row["participant"] == "P 07ä"
        assert row["image_id"] == str(question["image_id"])
        assert row["options"].split(" | ") == question["options"]
        assert row["followed_network"] == "1"
        assert float(row["seconds"]) == question["seconds"]
        assert row["started"] == about["started"]


def test_the_link_opens_the_same_quiz(quiz_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(quiz_workspace, "quiz")
    app.number_input(key="quiz_questions").set_value(6).run()
    app.number_input(key="quiz_seed").set_value(77).run()
    app.slider(key="quiz_wrong").set_value(65).run()
    app.toggle(key="quiz_feedback").set_value(True).run()
    next(box for box in app.segmented_control if box.key == "quiz_options").set_value("3").run()
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert params["quiz_seed"] == "77"
    other = open_app(quiz_workspace, "quiz", **params)
    assert not other.warning
    assert other.code[-1].value == link
    first, second = get_session(begin(app)), get_session(begin(other))
    assert first.run.questions == second.run.questions
    assert first.settings == second.settings
    assert second.has_feedback
    assert {len(question.options) for question in second.run.questions} == {3}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quiz_questions", "0"),
        ("quiz_questions", "9" * 5000),
        ("quiz_seed", "-1"),
        ("quiz_seed", "1.5"),
        ("quiz_wrong", "101"),
        ("quiz_options", "9"),
        ("quiz_condition", "<b>"),
        ("quiz_feedback", "maybe"),
    ],
)
def test_unknown_values_in_a_link_are_reported(
    quiz_workspace: Path, open_app: OpenApp, name: str, value: str
) -> None:
    app = open_app(quiz_workspace, "quiz", **{name: value})
    assert not app.exception
    assert not app.error
    assert len(app.warning) == 1
    assert "The link asks for the" in app.warning[0].value
    assert "**10 questions**" in read_texts(app)
    app.run()
    assert not app.warning


def test_feedback_judges_each_answer(quiz_workspace: Path, open_app: OpenApp, clock: Clock) -> None:
    app = begin(open_app(quiz_workspace, "quiz", quiz_questions="2", quiz_feedback="true"))
    question = get_session(app).run.questions[0]
    wrong = next(option for option in question.options if option != question.truth)
    app = answer(app, wrong)
    assert app.title[0].value.startswith("It was: ")
    assert len(app.image) > 1  # the photo, and maps of the network's answer
    assert "The photo with the heat of x-feature" in app.image[1].proto.imgs[0].alt
    clock.now += 50  # reading the feedback does not count as time of the next question
    app = app.button(key="quiz-next-0").click().run()
    clock.now += 2
    app = answer(app, get_session(app).run.questions[1].truth)
    assert app.title[0].value.startswith(":green[Right:] ")
    assert not app.metric
    app = app.button(key="quiz-next-1").click().run()
    assert app.title[0].value == "You named 1 of 2 birds"
    assert get_session(app).run.answers[1].seconds == 2


def test_play_again_shows_other_photos_with_the_same_settings(
    quiz_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(quiz_workspace, "quiz", quiz_questions="3", quiz_seed="999999", quiz_wrong="80")
    app = play(app, follow)
    before = get_session(app).run.questions
    app = app.button(key="quiz-again").click().run()
    assert app.title[0].value == "What bird is it?"
    assert app.number_input(key="quiz_seed").value == 0
    assert app.number_input(key="quiz_questions").value == 3
    assert app.slider(key="quiz_wrong").value == 80
    assert app.query_params["quiz_seed"] == "0"
    assert get_session(begin(app)).run.questions != before


def test_stopping_returns_to_the_same_seed(quiz_workspace: Path, open_app: OpenApp) -> None:
    app = begin(open_app(quiz_workspace, "quiz", quiz_seed="8"))
    app = app.button(key="quiz-stop-now").click().run()
    assert app.number_input(key="quiz_seed").value == 8
    assert "quiz_session" not in app.session_state


def test_leaving_and_coming_back_keeps_the_quiz_and_its_clock(
    quiz_workspace: Path, open_app: OpenApp, clock: Clock
) -> None:
    app = begin(open_app(quiz_workspace, "quiz", quiz_questions="2"))
    clock.now += 3
    app.switch_page("../pages/about.py").run()
    clock.now += 4
    app.switch_page("../pages/quiz.py").run()
    assert app.get("progress")[0].text == "Question 1 of 2"
    app = answer(app, follow(get_session(app)))
    assert get_session(app).run.answers[0].seconds == 7
    assert app.get("progress")[0].text == "Question 2 of 2"


def test_without_modules_only_photos_are_offered(own_workspace: Path, open_app: OpenApp) -> None:
    shutil.rmtree(own_workspace / "modules")
    app = open_app(own_workspace, "quiz", quiz_questions="2")
    assert not app.error
    assert "**2 questions**: **1** photo only, **1** photo + answer." in read_texts(app)
    app = play(app, follow)
    assert app.title[0].value.startswith("You named")
    assert len(app.metric) == 8

    app = open_app(own_workspace, "quiz", quiz_condition="half and half")
    assert not app.error
    assert "There is nothing to explain" in read_texts(app)
    assert f"python -m explorer train {own_workspace} --all" in app.code[0].value
    assert not [button for button in app.button if button.key == "quiz-start"]


def test_a_damaged_module_affects_only_its_questions(
    own_quiz_workspace: Path, open_app: OpenApp
) -> None:
    for entry in Workspace(own_quiz_workspace).list_modules():
        entry.path.write_bytes(b"garbage")
    app = open_app(own_quiz_workspace, "quiz", quiz_questions="4", quiz_condition="half and half")
    assert not app.error
    assert not app.warning
    app = begin(app)
    for position, question in enumerate(get_session(app).run.questions):
        assert bool(app.error) == question.is_explained
        if question.is_explained:
            assert "module.safetensors" in app.error[0].value
            app = app.button(key=f"quiz-skip-{position}").click().run()
        else:
            app = answer(app, question.truth)
    assert app.title[0].value == "You named 2 of 2 birds"
    assert "2 skipped: they could not be shown" in read_texts(app)
    text = make_results_csv(Workspace(own_quiz_workspace), get_session(app)).decode()
    assert [row["answer"] == "" for row in csv.DictReader(io.StringIO(text))] == [
        question.is_explained for question in get_session(app).run.questions
    ]


def test_a_photo_that_vanishes_can_be_skipped(own_quiz_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(own_quiz_workspace, "quiz", quiz_questions="2", quiz_condition="photo only")
    app = begin(app)
    photo = get_session(app).run.questions[1].image_id
    Workspace(own_quiz_workspace).dataset.get_photo(photo).path.unlink()
    app = answer(app, follow(get_session(app)))
    assert "cannot be read" in app.error[0].value
    app = app.button(key="quiz-skip-1").click().run()
    assert "of 1 birds" in app.title[0].value
    assert not app.exception


def test_a_damaged_photo_at_the_start_is_reported(own_workspace: Path, open_app: OpenApp) -> None:
    Workspace(own_workspace).held_out[0].path.write_bytes(b"garbage")
    app = open_app(own_workspace, "quiz")
    assert not app.exception
    assert "cannot be read" in app.error[0].value


def test_no_workspace_and_no_network(
    tmp_path: Path, own_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tmp_path / "nowhere", "quiz")
    assert app.title[0].value == "No workspace yet"
    assert len(app.error) == 1
    shutil.rmtree(own_workspace / "modules")
    (own_workspace / CLASSIFIER_FILE).unlink()
    save_settings(own_workspace, WorkspaceSettings(dataset="birds"))
    app = open_app(own_workspace, "quiz")
    assert app.title[0].value == "No network yet"
    assert not app.error


def test_another_network_ends_the_quiz(own_workspace: Path, open_app: OpenApp) -> None:
    app = begin(open_app(own_workspace, "quiz", quiz_condition="photo only"))
    session = get_session(app)
    session.classifier = ("elsewhere", "another")
    app.session_state["quiz_session"] = session
    app.run()
    assert app.title[0].value == "What bird is it?"


def test_the_files_of_a_class_are_pooled(
    quiz_workspace: Path, open_app: OpenApp, clock: Clock
) -> None:
    app = open_app(quiz_workspace, "quiz", quiz_questions="6", quiz_wrong="100", quiz_seed="5")
    app = play(app, follow)
    content = make_results_json(Workspace(quiz_workspace), get_session(app))
    app = app.button(key="quiz-again").click().run()
    files = [
        (f"{name}.json", content.replace(b'"participant": ""', f'"participant": "{name}"'.encode()))
        for name in ("Ann", "Ben")
    ]
    damaged = ("notes.json", b"{}")
    uploaded = [(name, data, "application/json") for name, data in [*files, files[0], damaged]]
    app.file_uploader[0].set_value(uploaded).run()
    assert not app.exception
    assert not app.error
    (warning,) = app.warning
    assert warning.value.startswith("notes.json is left out. It is not a file of quiz results.")
    texts = read_texts(app)
    assert "2 people, 12 answers. 1 copy of a file left out." in texts
    same = "**0** (no spread, 2 people)"
    assert f"| **photo + explanation** against photo + answer | {same} | {same} |" in texts
    assert "With fewer than 10 people" in texts
    (figure,) = app.get("plotly_chart")
    assert "Photo + answer" in figure.proto.spec
    assert "photo + answer 0% (no spread, 2 people)" in texts
    next(b for b in app.segmented_control if b.label == "Measure").set_value(
        "Agreed with the network when wrong"
    ).run()
    assert "photo + answer 100% (no spread, 2 people)" in read_texts(app)
