import functools
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import typer

from explorer import __main__ as command_line
from explorer.config import REPOSITORY_ROOT, ExplorerError, Progress
from explorer.data.cub import CubDataset, load_cub
from explorer.data.fetching.archive import ArchiveLimits
from explorer.data.fetching.cub import CubRelease, fetch_cub
from explorer.data.fetching.download import Fetched
from explorer.data.fetching.transfer import RemoteFile, RetryPolicy
from explorer.data.splits import Split
from explorer.measuring.records import load_module_measures
from explorer.methods.joint_sae import JointSaeSettings
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.build import build_network
from explorer.training.modules import train
from explorer.workspace.workspace import Workspace

TINY = ["--epochs", "1", "--pretrain-epochs", "0", "--widths", "8"]


class Result(NamedTuple):
    """Exit status and output of a command, with line breaks removed."""

    status: int
    out: str
    err: str


Call = Callable[..., Result]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs the command line in this process, as `main` does."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["explorer", *map(str, arguments)])
        status = 0
        try:
            command_line.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(status, *(" ".join(text.split()) for text in captured))

    return run


def check_refusal(result: Result, *words: str) -> None:
    """Check for status 1 and a message that contains `words` and no traceback."""
    assert result.status == 1
    assert result.err.startswith("Error: ")
    assert "Traceback" not in result.out + result.err
    # Long paths may be broken at any character when printed.
    squeezed = result.err.replace(" ", "")
    for word in words:
        assert word.replace(" ", "") in squeezed


def do_nothing(*_: object) -> Generator[Progress, None, None]:
    yield from ()


# Successful commands


def test_new_prints_the_next_command(call: Call, tmp_path: Path, painted_root: Path) -> None:
    folder = tmp_path / "w"
    result = call("new", folder, "--cub", painted_root, "--arch", "vgg_small")
    assert result.status == 0
    assert "72 photos of 12 categories, 12 of them held out" in result.out
    assert "python -m explorer finetune" in result.out
    assert Workspace(folder).settings.architecture == "vgg_small"


def test_new_accepts_weights_layer_and_split(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    torch.save(build_network("vgg_small", 12, batch_norm=False).state_dict(), tmp_path / "a.pth")
    options = ["--arch", "vgg_small", "--weights", tmp_path / "a.pth", "--layer", "fc7"]
    result = call("new", tmp_path / "w", "--cub", painted_root, *options, "--held-out", "last:2")
    assert result.status == 0
    assert "24 of them held out" in result.out
    assert "Note: The network is right on" in result.out, "its weights are random"
    assert "another order than classes.txt" in result.out
    assert "--category NAME" in result.out
    assert Workspace(tmp_path / "w").networks.backbone.z_layer == "fc7"


def test_new_accepts_the_checkpoint_of_a_training_script(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    network = build_network("vgg_small", 12, batch_norm=True)
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"model": state, "epoch": 7}, tmp_path / "a.pth")
    options = ["--cub", painted_root, "--arch", "vgg_small", "--weights", tmp_path / "a.pth"]
    assert call("new", tmp_path / "w", *options).status == 0
    linear = Workspace(tmp_path / "w").networks.backbone.layers[-1]
    assert torch.equal(linear.weight, network.classifier[-1].weight)


def test_new_refuses_a_network_with_other_categories(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    torch.save(build_network("vgg_small", 5, batch_norm=False).state_dict(), tmp_path / "a.pth")
    options = ["--cub", painted_root, "--arch", "vgg_small", "--weights", tmp_path / "a.pth"]
    result = call("new", tmp_path / "w", *options)
    check_refusal(result, "5 outputs", "12 categories", "finetune --initial")
    assert not (tmp_path / "w").exists()


def test_new_reports_copies_and_contradicting_labels(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    root = Path(shutil.copytree(painted_root, tmp_path / "birds"))
    last, first = load_cub(root).photos_of(load_cub(root).categories[0])[::-5]
    assert (first.is_training, last.is_training) == (True, False)
    shutil.copyfile(first.path, last.path)
    labels = root / "image_class_labels.txt"
    labels.write_text(labels.read_text().replace(f"{last.image_id} 1\n", f"{last.image_id} 2\n", 1))
    result = call("new", tmp_path / "w", "--cub", root, "--arch", "vgg_small")
    assert result.status == 0
    assert "11 of them held out" in result.out
    assert "Note: 1 photo is in the folder of another category than its label" in result.out
    assert "Note: 2 photos have the same file as another one" in result.out
    assert "Note: 1 file is labelled as several categories" in result.out
    assert "Identical photos are kept on one side of every split." in result.out


def test_new_accepts_a_relative_folder(
    call: Call, tmp_path: Path, painted_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(painted_root.parent)
    assert call("new", tmp_path / "w", "--cub", "birds", "--arch", "vgg_small").status == 0
    monkeypatch.chdir(tmp_path)
    assert len(Workspace(tmp_path / "w").dataset.photos) == 72


@pytest.fixture
def published(
    cub_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CubRelease]:
    """Serve a data set of three photos locally, instead of the real one."""
    place = tmp_path / "server"
    place.mkdir()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with tarfile.open(place / "birds.tgz", "w:gz") as tar:
        tar.add(cub_folder, "CUB_200_2011")
    data = (place / "birds.tgz").read_bytes()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(place))

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/birds.tgz"
        file = RemoteFile(url, "birds.tgz", hashlib.sha256(data).hexdigest(), len(data))
        release = CubRelease(file, 3, 2, 2, 10_000, ArchiveLimits(10_000_000, 100))
        fetch = functools.partial(fetch_cub, release=release, policy=RetryPolicy(2, 1, 1))
        monkeypatch.setattr("explorer.cli.fetch.fetch_cub", fetch)
        yield release
        server.shutdown()
        thread.join(5)


def test_fetch_prints_a_command_that_creates_a_workspace(
    call: Call, tmp_path: Path, published: CubRelease
) -> None:
    result = call("fetch", "cub", tmp_path / "my birds")
    assert result.status == 0
    assert "CUB-200-2011: fetched and checked" in result.out
    assert "Downloading birds.tgz, MB: 1/1" in result.out
    (command,) = re.findall(r"Next: python -m explorer (.*)", result.out)
    arguments = shlex.split(command.replace("my-workspace", str(tmp_path / "w")))
    assert call(*arguments).status == 0
    assert len(Workspace(tmp_path / "w").dataset.photos) == 3
    again = call("fetch", "cub", tmp_path / "my birds")
    assert "already fetched; checked" in again.out
    assert "Downloading" not in again.out


def test_fetch_has_a_default_folder(
    call: Call, tmp_path: Path, published: CubRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    assert call("fetch", "cub", "--keep-archive").status == 0
    found = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert found == ["CUB_200_2011", "birds.tgz"]


def test_fetch_prints_the_finetune_command(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(what: str, folder: Path | None) -> Generator[Progress, None, Fetched]:
        yield Progress("Downloading", 1, 1)
        return Fetched((folder or tmp_path) / f"{what}.pth", already_existed=False)

    monkeypatch.setattr("explorer.cli.fetch.fetch_imagenet_weights", pretend)
    result = call("fetch", "vgg19", tmp_path / "my weights")
    assert "The ImageNet weights of vgg19: fetched and checked" in result.out
    assert result.out.endswith(f"--initial '{tmp_path}/my weights/vgg19.pth'")
    assert call("fetch", "vgg16").out.endswith("finetune my-workspace")


def test_finetune_reports_accuracy(call: Call, own_workspace: Path) -> None:
    result = call(
        "finetune", own_workspace, "--force", "--epochs", 1, "--batch-size", 60, "--device", "cpu"
    )
    assert result.status == 0
    assert "on 12 held-out photos" in result.out
    report = Workspace(own_workspace).networks.classifier_report
    assert f"test {report['test_accuracy']:.3f}" in result.out
    assert f"(top-5 {report['test_top5']:.3f})" in result.out
    assert report["settings"]["epochs"] == 1


def start_process(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "explorer", *map(str, arguments)],
        cwd=REPOSITORY_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_finetune_resumes_after_being_killed(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    """It is killed after the first epoch; the classifier equals that of an uninterrupted run."""
    options = ["--epochs", 3, "--batch-size", 12, "--device", "cpu"]
    for name in ("whole", "killed"):
        call("new", tmp_path / name, "--cub", painted_root, "--arch", "vgg_small")
    assert call("finetune", tmp_path / "whole", *options).status == 0
    snapshot = tmp_path / "killed" / "finetuning.safetensors"
    assert not (tmp_path / "whole" / snapshot.name).exists()
    process = start_process("finetune", tmp_path / "killed", *options)
    deadline = time.monotonic() + 120
    while not snapshot.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert snapshot.exists(), "one epoch was finished"
    assert not (tmp_path / "killed" / "classifier.safetensors").exists()
    check_refusal(call("finetune", tmp_path / "killed", "--epochs", 4), "epochs 3, not 4")
    result = call("finetune", tmp_path / "killed", *options)
    assert result.status == 0
    assert "Resuming an unfinished fine-tuning run" in result.out
    assert "Fine-tuning: 1/" not in result.out
    assert not snapshot.exists()
    hashes = {Workspace(tmp_path / name).networks.backbone.sha256 for name in ("whole", "killed")}
    assert len(hashes) == 1


def test_finetune_discards_an_unfinished_run_on_request(call: Call, own_workspace: Path) -> None:
    snapshot = own_workspace / "finetuning.safetensors"
    snapshot.write_text("damaged")
    options = ["--force", "--epochs", 1, "--batch-size", 60, "--device", "cpu"]
    check_refusal(call("finetune", own_workspace, *options), "is damaged", "--restart")
    result = call("finetune", own_workspace, *options, "--restart")
    assert result.status == 0
    assert "Resuming" not in result.out
    assert not snapshot.exists()


def test_train_measures_what_it_trains(call: Call, own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    names = [category[4:].replace("_", " ").lower() for category in opened.dataset.categories]
    result = call(
        "train", own_workspace, "--category", names[3], "--category", names[5],
        "--method", "nn", "--x-features", 3, "--seed", 2, *TINY,
    )  # fmt: skip
    assert result.status == 0
    new = [entry for entry in opened.list_modules() if entry.run.startswith("nn-k3-s2")]
    assert [entry.category for entry in new] == [opened.dataset.categories[i] for i in (3, 5)]
    assert opened.networks.load_module(new[0])[0].settings.widths == (8,)
    for entry in new:
        measures = load_module_measures(opened, entry)
        assert measures is not None
        assert f"{measures.test.faithfulness.f_reg:.4f}" in result.out


def test_train_all_trains_every_category(
    call: Call, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.cli.reporting.measure_module", do_nothing)
    assert call("train", own_workspace, "--all", *TINY).status == 0
    opened = Workspace(own_workspace)
    assert {entry.category for entry in opened.list_modules()} == set(opened.dataset.categories)


def test_missing_trains_and_measures_only_what_is_missing(call: Call, own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    one, two, three = opened.dataset.categories[3:6]
    options = ["--seed", 4, *TINY, "--device", "cpu"]
    assert call("train", own_workspace, "--category", one, "--category", two, *options).status == 0
    there = [
        entry for entry in opened.list_modules() if entry.run.startswith("srae-concepts-k5-s4")
    ]
    before = [entry.path.stat().st_mtime_ns for entry in there]
    measured = there[0].metrics_path.stat().st_mtime_ns
    there[1].metrics_path.unlink()  # as after an interruption
    names = ["--category", one, "--category", two, "--category", three]
    result = call("train", own_workspace, *names, "--missing", *options)
    assert result.status == 0
    assert "2 of 3 modules already exist" in result.out
    assert [entry.path.stat().st_mtime_ns for entry in there] == before
    assert there[0].metrics_path.stat().st_mtime_ns == measured
    found = [entry for entry in opened.list_modules() if entry.run == there[0].run]
    assert [entry.category for entry in found] == [one, two, three]
    assert all(load_module_measures(opened, entry) is not None for entry in found)


def test_without_missing_modules_are_trained_again(call: Call, own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    options = ["--category", opened.dataset.categories[3], *TINY]
    call("train", own_workspace, *options)
    entry = next(e for e in opened.list_modules() if e.category == opened.dataset.categories[3])
    entry.path.write_bytes(b"no module")
    assert call("train", own_workspace, *options).status == 0
    opened.networks.load_module(entry)


def test_training_options_are_passed_on(
    call: Call, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def train_modules(
        workspace: Workspace, *arguments: Any, group_size: int
    ) -> Generator[Progress, None, tuple[()]]:
        given.append((*arguments, group_size))
        yield from ()
        return ()

    monkeypatch.setattr("explorer.cli.train.train_modules", train_modules)
    options = ["--group-size", 3, "--patience", 7, "--method", "jointsae"]
    assert call("train", own_workspace, "--all", *options).status == 0
    ((names, module_settings, settings, group_size),) = given
    assert tuple(names) == Workspace(own_workspace).dataset.categories
    assert (module_settings, settings.patience, group_size) == (JointSaeSettings(), 7, 3)


def test_one_failed_category_does_not_stop_the_others(
    call: Call, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Workspace(own_workspace).dataset.categories[3:5]
    draw = train.draw_module_split

    def refuse(dataset: CubDataset, category: str, *arguments: Any) -> Split:
        if category == one:
            raise ExplorerError(f"{one} has no photo")
        return draw(dataset, category, *arguments)

    monkeypatch.setattr(train, "draw_module_split", refuse)
    result = call("train", own_workspace, "--category", one, "--category", two, *TINY)
    check_refusal(result, "Not trained", f"{one} has no photo")
    opened = Workspace(own_workspace)
    (entry,) = (e for e in opened.list_modules() if e.category == two)
    assert load_module_measures(opened, entry) is not None
    assert two[:8] in result.out


def test_sweep_trains_every_combination(call: Call, own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    names = [category[4:].replace("_", " ") for category in opened.dataset.categories[3:5]]
    result = call(
        "sweep", own_workspace, "--categories", ", ".join(names), "--methods", "srae,nn",
        "--settings", "widths=8,widths=8:pull_away=0.5", "--seeds", "0,1", *TINY[:4],
    )  # fmt: skip
    assert result.status == 0
    assert "16 modules trained and measured" in result.out
    runs = {entry.run for entry in opened.list_modules()}
    ending = "-epochs1-pretrain_epochs0"
    assert runs >= {
        f"{method}-k5-s{seed}-{change}{ending}"
        for method in ("srae", "nn")
        for seed in (0, 1)
        for change in ("widths8", "widths8-pull_away0.5")
    }


def test_maps_are_drawn_once(call: Call, own_workspace: Path) -> None:
    arguments = ("maps", own_workspace, "--category", "ember capped finch", "--layer", "pool3")
    first = call(*arguments, "--device", "cpu")
    assert first.status == 0, first.err
    assert "Drawing heatmaps for the pages: 6/6" in first.out
    assert "1 module, layer pool3: 6 photos drawn, 0 already drawn; 0.02 MB." in first.out
    (cache,) = own_workspace.glob("modules/*/*/maps/*.npy")
    assert cache.name == "pool3.npy"
    assert "0 photos drawn, 6 already drawn" in call("maps", own_workspace, *arguments[2:]).out


def test_maps_refuses_missing_or_unknown_arguments(call: Call, own_workspace: Path) -> None:
    check_refusal(call("maps", own_workspace), "--all")
    check_refusal(call("maps", own_workspace, "--category", "moonbar warbler"), "train")
    check_refusal(call("maps", own_workspace, "--all", "--layer", "pool9"), "relu1")


def test_sweep_ends_with_a_list_of_failures(
    call: Call, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = SraeSettings.compute_terms

    def diverge(*arguments: Any) -> dict[str, torch.Tensor]:
        return {name: torch.inf * term for name, term in compute(*arguments).items()}

    monkeypatch.setattr(SraeSettings, "compute_terms", diverge)
    name = Workspace(own_workspace).dataset.categories[3]
    methods = "srae:beta=3,nn:widths=8"
    result = call("sweep", own_workspace, "--categories", name, "--methods", methods, *TINY[:4])
    run = "srae-k5-s0-beta3.0-epochs1-pretrain_epochs0"
    check_refusal(result, f"{name}, {run}", "loss is no longer finite")
    assert "1 module trained and measured" in result.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["--categories NAME,NAME", "--all"]),
        (["--all", "--categories", "x"], ["--categories NAME,NAME", "--all"]),
        (["--all", "--seeds", "one"], ["--seeds", "'one'"]),
        (["--all", "--seeds", "-1"], ["The seed must be at least 0", "not -1"]),
        (["--all", "--methods", "z"], ["trains no module"]),
        (["--all", "--methods", "srae,nn", "--settings", "beta=10"], ["NN has no setting 'beta'"]),
        (["--all", "--methods", "srae:learning_rate=1e30"], ["rate must be above 0", "at most 1"]),
        (["--all", "--workers", "2"], ["--engine ray"]),
        (["--all", "--address", "127.0.0.1:6379"], ["--engine ray"]),
    ],
)
def test_sweep_refuses_impossible_options(
    call: Call, own_workspace: Path, options: list[str], words: list[str]
) -> None:
    check_refusal(call("sweep", own_workspace, *options), *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--methods", "z", "--workers", 2), "need --engine ray"),
        (("--methods", "z", "--address", "127.0.0.1:1"), "need --engine ray"),
    ],
)
def test_evaluate_refuses_options_of_another_engine(
    call: Call, own_workspace: Path, options: tuple[object, ...], words: str
) -> None:
    check_refusal(call("evaluate", own_workspace, *options), words)


def test_sweep_says_how_to_install_ray(
    call: Call, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "explorer.engines.ray_engine", raising=False)
    result = call("sweep", own_workspace, "--all", "--engine", "ray")
    check_refusal(result, "pip install .[cluster]", "--engine local")


def test_evaluate_measures_classifier_and_modules(call: Call, own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    before = json.loads(entry.metrics_path.read_text())
    entry.metrics_path.unlink()
    result = call("evaluate", own_workspace)
    assert result.status == 0
    assert "Classifier: accuracy" in result.out
    assert "on 12 held-out photos" in result.out
    assert "overlap" in result.out
    assert json.loads(entry.metrics_path.read_text()) == before


def test_help_lists_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "explorer", "--help"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY_ROOT,
    )  # fmt: skip
    assert done.returncode == 0
    for name in (
        "fetch",
        "new",
        "finetune",
        "train",
        "sweep",
        "maps",
        "evaluate",
        "demo",
        "birds",
        "pack",
    ):
        assert name in done.stdout


def list_documented_commands() -> list[str]:
    pages = [REPOSITORY_ROOT / "README.md", *sorted((REPOSITORY_ROOT / "docs").glob("*.md"))]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    return [line for text in texts for line in re.findall(r"^python -m explorer (.+)$", text, re.M)]


def test_all_documents_are_read() -> None:
    names = {command.split()[0] for command in list_documented_commands()}
    assert names >= {"fetch", "new", "finetune", "train", "evaluate", "sanity", "demo"}


@pytest.mark.parametrize("command", list_documented_commands())
def test_documented_commands_can_be_parsed(command: str) -> None:
    name, *arguments = shlex.split(command, comments=True)
    group = typer.main.get_command(command_line.app)
    assert isinstance(group, typer.core.TyperGroup)
    context = group.commands[name].make_context(name, arguments)  # parsed, not run
    assert context.params


def test_an_expected_failure_in_a_real_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "explorer", "evaluate", str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=REPOSITORY_ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "not a workspace" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


# Refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--arch", "densenet121"], ["'densenet121'", "vgg19, vgg16,", "resnet50", "vgg_small"]),
        (["--arch", "vgg_small", "--held-out", "half"], ["'half'", "last:N"]),
        (["--arch", "vgg_small", "--held-out", "last:6"], ["no training photo"]),
        (["--arch", "vgg_small", "--layer", "fc8"], ["'fc8'", "fc6, fc7"]),
        (["--arch", "vgg_small", "--weights", "gone.pth"], ["no file gone.pth"]),
    ],
)
def test_new_refuses_invalid_options(
    call: Call, tmp_path: Path, painted_root: Path, options: list[str], words: list[str]
) -> None:
    check_refusal(call("new", tmp_path / "w", "--cub", painted_root, *options), *words)
    assert not (tmp_path / "w" / "workspace.json").exists()


@pytest.mark.parametrize("what", ["densenet121", "vgg_small", "CUB"])
def test_fetch_refuses_unknown_names(call: Call, tmp_path: Path, what: str) -> None:
    check_refusal(call("fetch", what, tmp_path), f"no download '{what}'", "cub", "vgg19, vgg16")


def test_a_failed_fetch_is_reported_in_one_message(
    call: Call, tmp_path: Path, published: CubRelease
) -> None:
    (tmp_path / "server" / "birds.tgz").unlink()
    check_refusal(call("fetch", "cub", tmp_path / "home"), "answered 404", "save it as")
    assert list((tmp_path / "home").iterdir()) == []


def test_new_refuses_a_folder_without_cub(call: Call, tmp_path: Path) -> None:
    check_refusal(call("new", tmp_path / "w", "--cub", tmp_path), "images.txt")


def test_new_refuses_a_workspace_that_exists(
    call: Call, own_workspace: Path, painted_root: Path
) -> None:
    check_refusal(
        call("new", own_workspace, "--cub", painted_root, "--arch", "vgg_small"),
        "is already a workspace",
    )


def test_train_suggests_similar_category_names(call: Call, own_workspace: Path) -> None:
    name = Workspace(own_workspace).dataset.categories[0]
    result = call("train", own_workspace, "--category", name[4:-1].replace("_", " ") + "q")
    check_refusal(result, "did you mean", name)


@pytest.mark.parametrize("options", [[], ["--all", "--category", "x"]])
def test_train_needs_either_categories_or_all(
    call: Call, own_workspace: Path, options: list[str]
) -> None:
    check_refusal(call("train", own_workspace, *options), "--category NAME", "--all")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--widths", "800;100"], ["whole numbers such as 800x100", "'800;100'"]),
        (["--widths", "8,0"], ["at least 1"]),
        (["--widths", "8,-2"], ["at least 1"]),
        (["--method", "pca"], ["PCA probe trains no module", "srae-concepts, nn, sae, joint-sae"]),
        (["--method", "dream"], ["'dream'", "srae, srae-pull-away, srae-concepts, nn, sae"]),
        (["--method", "nn", "--beta", "2"], ["NN has no setting 'beta'", "pull_away, epochs"]),
        (["--method", "joint-sae", "--q", "9"], ["trained jointly has no setting 'q'", "beta"]),
        (["--x-features", "0"], ["at least 1"]),
        (["--q", "0"], ["The q must be above 0"]),
        (["--beta", "-1"], ["at least 0"]),
        (["--beta", "nan"], ["at least 0"]),
        (["--epochs", "0"], ["at least 1"]),
        (["--learning-rate", "nan"], ["above 0"]),
        (["--patience", "-1"], ["patience must be at least 0"]),
        (["--group-size", "-1"], ["group size must be at least 1"]),
        (["--device", "banana"], ["'banana'"]),
    ],
)
def test_train_refuses_impossible_settings(
    call: Call, own_workspace: Path, options: list[str], words: list[str]
) -> None:
    name = Workspace(own_workspace).dataset.categories[0]
    check_refusal(call("train", own_workspace, "--category", name, *options), *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "0"], ["The epochs must be at least 1"]),
        (["--batch-size", "1"], ["The batch size must be at least 2"]),
        (["--initial", "gone.pth"], ["no file gone.pth"]),
        (["--initial", "imagenet"], ["from scratch"]),
        (["--seed", "-1"], ["seed"]),
        (["--workers", "-1"], ["workers"]),
        (["--learning-rate", "nan"], ["learning rate"]),
        (["--head-factor", "-1"], ["The head factor must be at least 0"]),
        (["--warm-up", "1"], ["The warm up must be at least 0 and below 1"]),
        (["--precision", "double"], ["'double'", "bfloat16"]),
    ],
)
def test_finetune_refuses_impossible_settings(
    call: Call, own_workspace: Path, options: list[str], words: list[str]
) -> None:
    before = Workspace(own_workspace).networks.backbone.sha256
    check_refusal(call("finetune", own_workspace, "--force", *options), *words)
    assert Workspace(own_workspace).networks.backbone.sha256 == before


@pytest.mark.parametrize("command", ["finetune", "evaluate"])
def test_a_folder_that_is_not_a_workspace_is_refused(
    call: Call, tmp_path: Path, command: str
) -> None:
    check_refusal(call(command, tmp_path), "is not a workspace", "python -m explorer new")


def test_without_a_classifier_the_message_says_how_to_get_one(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    call("new", tmp_path / "w", "--cub", painted_root, "--arch", "vgg_small")
    for command in (["evaluate"], ["train", "--all"]):
        check_refusal(
            call(command[0], tmp_path / "w", *command[1:]), "no classifier yet", "finetune"
        )


def test_demo_does_not_write_into_a_folder_that_is_not_empty(call: Call, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    check_refusal(call("demo", tmp_path), "neither empty nor a demo")
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_demo_with_force_keeps_a_folder_that_is_not_a_workspace(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    monkeypatch.setattr("explorer.cli.demo.build_demo", do_nothing)
    check_refusal(call("demo", tmp_path, "--force"), "neither empty nor a demo")
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_demo_refuses_a_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    check_refusal(call("demo", tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["[/]", "[bold]", "[/x] bird"])
def test_square_brackets_are_printed_unchanged(call: Call, own_workspace: Path, name: str) -> None:
    check_refusal(call("train", own_workspace, "--category", name), f"'{name}'")


def test_a_write_error_is_reported_in_one_message(call: Call, own_workspace: Path) -> None:
    shutil.rmtree(own_workspace / "features", ignore_errors=True)
    (own_workspace / "features").write_text("a file where a folder should be")
    check_refusal(call("evaluate", own_workspace), "features")


def test_finetune_replaces_a_classifier_only_with_force(call: Call, own_workspace: Path) -> None:
    before = Workspace(own_workspace).networks.backbone.sha256
    check_refusal(call("finetune", own_workspace), "already has a classifier", "--force")
    assert Workspace(own_workspace).networks.backbone.sha256 == before


def test_one_failed_module_does_not_stop_the_others(call: Call, own_workspace: Path) -> None:
    (good,) = Workspace(own_workspace).list_modules()
    bad = good.path.parent.with_name("a-bad-one") / good.path.name
    bad.parent.mkdir()
    bad.write_bytes(b"no module")
    good.metrics_path.unlink()
    result = call("evaluate", own_workspace, "--device", "cpu")
    check_refusal(result, "Not measured", "a-bad-one")
    assert load_module_measures(Workspace(own_workspace), good) is not None
    assert good.category[:8] in result.out


@pytest.mark.parametrize(
    "options",
    [
        ("evaluate", "--methods", "z", "--seeds", "-1"),
        ("evaluate", "--methods", "z", "--draw-seed", "-1"),
    ],
)
def test_impossible_seeds_are_refused(
    call: Call, own_workspace: Path, options: tuple[str, ...]
) -> None:
    command, *rest = options
    check_refusal(call(command, own_workspace, *rest), "A seed must be from 0")


@pytest.mark.parametrize("seed", ["99999999999999999999", "-1"])
def test_impossible_training_seeds_are_refused(call: Call, own_workspace: Path, seed: str) -> None:
    words = "The seed must be at least 0 and at most 9,223,372,036,854,775,807"
    check_refusal(call("train", own_workspace, "--all", "--seed", seed), f"{words}, not {seed}")


def test_names_that_look_like_markup_are_printed_unchanged(
    call: Call, tmp_path: Path, painted_root: Path
) -> None:
    result = call("new", tmp_path / "q[red]x", "--cub", painted_root, "--arch", "vgg_small")
    assert result.status == 0
    assert "q[red]x" in result.out


def test_out_of_memory_is_reported_in_one_message(
    call: Call, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.")

    monkeypatch.setattr("explorer.cli.evaluate.Workspace", fail)
    check_refusal(call("evaluate", own_workspace), "There is not enough memory", "--batch-size")


def test_evaluate_can_use_the_categories_not_drawn(call: Call, own_workspace: Path) -> None:
    options = ["--methods", "grad-cam,pca", "--categories", 11, "--name", "trial"]
    result = call("evaluate", own_workspace, *options, "--rest", "--device", "cpu")
    assert result.status == 0
    assert "Grad-CAM" in result.out
    rows = (own_workspace / "results" / "trial.csv").read_text().splitlines()[1:]
    assert len({row.split(",")[1] for row in rows}) == 1, "12 categories, 11 of them drawn"
    assert not (own_workspace / "results" / "results.csv").exists()
    check_refusal(
        call("evaluate", own_workspace, *options[:4], "--name", "../x"), "not a valid name"
    )


def test_sanity_prints_a_line_for_every_network(call: Call, own_workspace: Path) -> None:
    options = ["--methods", "grad-cam", "--categories", 1, "--epochs", 1, "--device", "cpu"]
    result = call("sanity", own_workspace, *options)
    assert result.status == 0
    for words in ("| Grad-CAM |", "| Grad-CAM, random weights |", "| Grad-CAM, random labels |"):
        assert words in result.out
    assert (own_workspace / "results" / "sanity.csv").is_file()
