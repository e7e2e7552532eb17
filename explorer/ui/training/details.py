"""The details of a training: its curves, outcome, settings and log."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import streamlit as st

from explorer.config import PAGES_DIR, ExplorerError, Progress
from explorer.data.cub import format_category
from explorer.data.names import name_categories
from explorer.jobs.control import remove
from explorer.jobs.history import list_columns, load_history
from explorer.jobs.store import list_damaged, list_jobs, read_log
from explorer.jobs.types import Job, JobState
from explorer.methods.registry import list_module_settings
from explorer.methods.runs import format_run
from explorer.render.training import render_training
from explorer.storage.packing import make_stem
from explorer.ui.shared import exports, links, state, training_status
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_training
from explorer.ui.shared.training_request import LAST_STARTED, make_key, start
from explorer.workspace.layout import get_module_entry
from explorer.workspace.workspace import Workspace

_F_REG = {"f_reg_test": "Test photos", "f_reg_train": "Training photos"}
_NO_LOSSES = {*_F_REG, "validation"}
_LINKS_SHOWN = 6


def show_trainings(workspace: Workspace) -> None:
    """Show the queue, and one training in full."""
    _show_queue()
    for folder in list_damaged():
        st.warning(
            f"The training in {escape_markdown(str(folder))} cannot be read, because its job.json "
            "is damaged. Remove this folder; modules are kept.",
            icon=":material/error:",
        )
    jobs = {job.id: job for job in reversed(list_jobs(workspace.path))}
    if not jobs:
        st.info("Nothing has been trained from here yet. Curves and logs will appear here.")
        return
    show_job(workspace, jobs[_choose_job(jobs)])


def _choose_job(jobs: Mapping[str, Job]) -> str:
    """Let the visitor choose a training; the default is the one started last.

    Each start gets a new widget, because a pending poll could overwrite the value of an existing
    widget with the old one.
    """
    started = st.session_state.get(LAST_STARTED)
    key = make_key(f"job-after-{started}")
    if st.session_state.get(key) not in jobs:
        st.session_state[key] = started if started in jobs else next(iter(jobs))
    return st.selectbox(
        "Training",
        list(jobs),
        format_func=lambda name: _title(jobs[name]) if name in jobs else name,
        key=key,
        width=420,
    )


def _show_queue() -> None:
    """List all live trainings on this machine if there are several."""
    living = [job for job in list_jobs() if job.state.is_live]
    if len(living) < 2:
        return
    rows = [
        f"| {number} | {escape_markdown(name_training(job.request))} "
        f"| {escape_markdown(job.request.device_words)} | {job.state} "
        f"| {_format_time(job.request.created)} |"
        for number, job in enumerate(living, start=1)
    ]
    st.markdown("\n".join(["| | Training | Device | | Since |", "|--:|:--|:--|:--|:--|", *rows]))


def _title(job: Job) -> str:
    return f"{name_training(job.request)}, {_format_time(job.request.created)}"


def _format_time(seconds: float) -> str:
    """Format a time in the visitor's time zone, with the date if it is not today."""
    zone = ZoneInfo(st.context.timezone) if st.context.timezone else UTC
    time, now = datetime.fromtimestamp(seconds, zone), datetime.now(zone)
    return f"{time:%H:%M:%S}" if time.date() == now.date() else f"{time:%d %b %Y, %H:%M}"


def show_job(workspace: Workspace, job: Job) -> None:
    """Show a training in full."""
    colour, icon = training_status.LOOKS[job.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(str(job.state), color=colour, icon=icon)  # type: ignore[arg-type]
        st.caption(
            escape_markdown(f"{format_run(job.request.run)}, on the {job.request.device_words}"),
            width="content",
        )
    if job.state.is_live:
        training_status.show_progress(job)
        training_status.show_cancel_button(job, "page")
    else:
        _show_ending(workspace, job)
    _show_curves(job)
    with st.expander(":material/tune: Settings"):
        st.markdown(_format_settings(job))
    with st.expander(":material/terminal: Log"):
        st.code(read_log(job) or "The log is empty.", language=None, wrap_lines=True)


def _show_ending(workspace: Workspace, job: Job) -> None:
    message = escape_markdown(job.message)
    if job.state is JobState.FINISHED:
        st.success(message, icon=training_status.LOOKS[job.state][1])
    elif job.state is JobState.CANCELLED:
        st.info(message, icon=training_status.LOOKS[job.state][1])
    else:
        st.error(message, icon=training_status.LOOKS[job.state][1])
    with st.container(horizontal=True, gap="small"):
        for category in job.status.measured[:_LINKS_SHOWN]:
            entry = get_module_entry(workspace.path, category, job.request.run)
            if entry.path.is_file():
                st.page_link(
                    PAGES_DIR / "photo.py",
                    label=escape_markdown(f"{format_category(category)}, explained"),
                    icon=":material/photo:",
                    query_params=links.make_module_params(workspace, entry),
                )
    _show_actions(job)


def _show_actions(job: Job) -> None:
    with st.container(horizontal=True, gap="small"):
        is_again = job.state is not JobState.FINISHED and st.button(
            "Start again", icon=":material/replay:", type="primary", key=_key("again", job)
        )
        is_removed = st.button(
            "Remove from this list",
            icon=":material/delete:",
            key=_key("remove", job),
            help="Its curves and its log are removed; its modules are kept.",
        )
    if is_again:
        start(job.request)
    if is_removed:
        try:
            remove(job)
        except ExplorerError as error:
            st.error(explain_error(error), icon=":material/error:")
            return
        st.rerun()


def _show_curves(job: Job) -> None:
    begun = list(dict.fromkeys([*job.status.measured, job.status.category]))
    names = name_categories([name for name in begun if name])
    if not names:
        return
    category = list(names)[-1]
    if len(names) > 1:
        choices = {"": "the latest", **names}
        chosen = st.selectbox(
            "Curves of",
            list(choices),
            format_func=lambda name: choices.get(name, name),
            key=_key("curves", job),
            width=280,
        )
        category = chosen or category
    records = load_history(job.folder, category)
    if not records:
        return
    epochs = _count_epochs(records)
    left, right = st.columns(2)
    with left:
        _show_figure("loss", _list_losses(records), epochs, "Loss", names[category])
    with right:
        curves = {words: _list_values(records, name) for name, words in _F_REG.items()}
        _show_figure("f-reg", curves, epochs, "Mean error (F_reg)", names[category])
    st.caption(_describe_now(records))
    exports.show_numbers(list_columns(records), make_stem("training", names[category], job.id))


def _show_figure(
    key: str,
    curves: Mapping[str, Sequence[float | None]],
    epochs: Sequence[int],
    title: str,
    name: str,
) -> None:
    measured = {words: values for words, values in curves.items() if any(values)}
    if not measured:
        st.caption(f"{title}: measured once pretraining is over.")
        return
    figure = render_training(
        measured, epochs, title, log_scale=key == "loss", text_colour=state.get_text_colour()
    )
    alt = f"{title} of {name} over {epochs[-1]} epochs: {', '.join(measured)}"
    show_figure(figure, alt, key=f"figure-training-{key}")


def _count_epochs(records: Sequence[Progress]) -> list[int]:
    """Count the epochs of the joint training from 1, and those of pretraining up to 0."""
    is_joint = ["total" in record.values for record in records]
    if not any(is_joint):
        return [record.done for record in records]
    pretraining = max(
        (record.done for record, is_it in zip(records, is_joint, strict=True) if not is_it),
        default=0,
    )
    return [record.done - pretraining for record in records]


def _list_losses(records: Sequence[Progress]) -> dict[str, list[float | None]]:
    """Return the loss and its terms by name, and the error of pretraining separately.

    The terms depend on the method; those that a setting weights are named as it is in the form.
    """
    joint = [record.values if "total" in record.values else {} for record in records]
    terms = dict.fromkeys(name for values in joint for name in values if name not in _NO_LOSSES)
    labels = {one.name: one.label for one in list_module_settings()}
    losses = {
        labels.get(name, name.replace("_", " ").capitalize()): [v.get(name) for v in joint]
        for name in terms
    }
    losses["Pretraining"] = [
        None if "total" in record.values else record.values.get("reconstruction")
        for record in records
    ]
    return losses


def _list_values(records: Sequence[Progress], name: str) -> list[float | None]:
    return [record.values.get(name) for record in records]


def _describe_now(records: Sequence[Progress]) -> str:
    last = records[-1].values
    where = (records[-1].detail or f"epoch {_count_epochs(records)[-1]}").capitalize()
    if "f_reg_test" not in last:
        return f"{where}. Layers are pretrained one by one: so far only their error is known."
    return (
        f"{where}: loss {last['total']:.4g}, mean error (F_reg) {last['f_reg_test']:.3f} on test "
        f"photos and {last['f_reg_train']:.3f} on training photos. The module does not learn from "
        "test photos. Epochs up to 0 are pretraining."
    )


def _format_settings(job: Job) -> str:
    values = {**job.request.module, **job.request.training}
    rows = [
        f"| {name.replace('_', ' ')} | {_format_value(value)} |" for name, value in values.items()
    ]
    return "\n".join(["| Setting | |", "|:--|:--|", *rows])


def _format_value(value: object) -> str:
    if isinstance(value, list | tuple):
        return escape_markdown(", ".join(map(str, value))) or "by the size of Z"
    return escape_markdown(str(value))


def _key(name: str, job: Job) -> str:
    return make_key(f"{name}-{job.id}")
