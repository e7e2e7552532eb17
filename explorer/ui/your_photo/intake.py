"""Where a visitor's photo comes from: a file, the camera, or a sample of the workspace."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.data.samples import draw_meadow, draw_noise
from explorer.data.uploads.decoding import FORMAT_NAMES, get_limits
from explorer.data.uploads.process import read_upload_in_subprocess
from explorer.ui.shared import cached, drawings, pictures, state
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.ui.your_photo.explaining import EXPLAINED
from explorer.ui.your_photo.marks import Marks
from explorer.ui.your_photo.own_photo import (
    CAMERA,
    FILE,
    SAMPLE,
    SOURCES,
    OwnPhoto,
    find,
    forget,
    keep,
    make_digest,
)
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_LOG = logging.getLogger(__name__)

SOURCE = "source"
SAMPLE_KEY = "sample"
MEADOW, NOISE = "No bird, a meadow", "No bird, only noise"

_PRIVACY = (
    "Your photo stays in the memory of this session: it is never written to disk, and nobody else "
    "sees it."
)
_BIRDS = 4
_ROUND = "your_photo_round"
_REFUSED = "your_photo_refused"
_HAS_JUST_COME = "your_photo_has_just_come"
_CAMERA_IS_OPEN = "your_photo_camera"
_DRAWINGS: Mapping[str, Callable[[], NDArray[np.uint8]]] = {MEADOW: draw_meadow, NOISE: draw_noise}


def show_door() -> bool:
    """Show the field for a file on another page, and return whether a photo has just come in."""
    _show_uploader()
    _show_note(FILE)
    st.caption(_PRIVACY)
    return bool(st.session_state.pop(_HAS_JUST_COME, False))


def choose_source() -> str:
    """Let the user choose where the photo comes from, and return one of `SOURCES`."""
    state.check_param(SOURCE, SOURCES, "source of a photo")
    source = st.segmented_control(
        "Take the photo from",
        SOURCES,
        default=FILE,
        required=True,
        key=SOURCE,
        bind=state.BIND,
    )
    return str(source)


def find_photo(workspace: Workspace, source: str) -> OwnPhoto | None:
    """Return the photo of a source, if there is one; the user may choose among samples."""
    st.session_state.pop(_HAS_JUST_COME, None)
    if source == SAMPLE:
        return _show_samples(workspace)
    state.drop_param(SAMPLE_KEY)
    return find(source)


def show_intake(source: str) -> None:
    """Let the user take a photo from a source that has none yet."""
    if source == CAMERA:
        _show_camera()
    else:
        _show_uploader()
    _show_note(source)
    st.caption(_PRIVACY)
    if source == FILE:
        st.button(
            "No photo at hand? Try a sample",
            icon=":material/image_search:",
            type="tertiary",
            on_click=_choose_samples,
            key="try-sample",
        )


def _show_note(source: str) -> None:
    """Say what was wrong with the last file, or that a link does not contain the photo."""
    refused_source, reason = st.session_state.get(_REFUSED, ("", ""))
    if refused_source == source:
        st.error(escape_markdown(reason), icon=":material/broken_image:")
    elif EXPLAINED in st.query_params and _ROUND not in st.session_state and find(SAMPLE) is None:
        st.info(
            "The link that you followed says how to look at a photo, but cannot hold the photo "
            "itself. Bring one, and it is shown that way.",
            icon=":material/link:",
        )


def _show_uploader() -> None:
    limit = min(get_limits().megabytes, int(st.get_option("server.maxUploadSize")))
    st.file_uploader(
        "A photo of one bird that fills much of the picture",
        # With types, the browser refuses photos for their names, and does not say which it takes.
        # `read_upload` decides by the content, and gives the reason.
        type=None,
        max_upload_size=limit,
        key=_make_widget_key(FILE),
        on_change=_on_upload,
        args=(FILE,),
    )
    st.caption(f"{FORMAT_NAMES}.")


def _choose_samples() -> None:
    st.session_state[SOURCE] = SAMPLE


def _show_camera() -> None:
    # A link to this page must not turn on the camera.
    if not st.session_state.get(_CAMERA_IS_OPEN):
        st.button(
            "Open the camera",
            icon=":material/photo_camera:",
            on_click=partial(st.session_state.__setitem__, _CAMERA_IS_OPEN, True),
            key="open-camera",
        )
        st.caption(
            "Your browser will ask whether this page may use it. A telephone takes a sharper photo "
            "where one is chosen from a file."
        )
        return
    st.camera_input(
        "A photo of one bird that fills much of the picture",
        key=_make_widget_key(CAMERA),
        on_change=_on_upload,
        args=(CAMERA,),
        width=560,
    )


def _make_widget_key(source: str) -> str:
    """Return a new key after every photo, so that the widget drops the last one."""
    return f"take-{source}-{st.session_state.get(_ROUND, 0)}"


def _on_upload(source: str) -> None:
    """Decode the file that a widget received, keep the pixels, and drop the file."""
    uploaded: UploadedFile | None = st.session_state.get(_make_widget_key(source))
    st.session_state.pop(_REFUSED, None)
    if uploaded is None:
        return
    data = uploaded.getvalue()
    name = uploaded.name if source == FILE else "From the camera"
    _drop_file(uploaded)
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.session_state[_CAMERA_IS_OPEN] = False
    try:
        upload = read_upload_in_subprocess(data, get_limits())
    except ExplorerError as error:
        st.session_state[_REFUSED] = (source, f"{name}: {error}" if source == FILE else str(error))
        return
    except Exception:
        # Decoders may fail in any way on hostile files, and callbacks run outside `error_boundary`.
        _LOG.exception("Unexpected error while a photo was read")
        reason = "The photo cannot be read. Save it again as JPEG or PNG."
        st.session_state[_REFUSED] = (source, reason)
        return
    height, width = upload.pixels.shape[:2]
    marks = Marks(width, height)
    keep(OwnPhoto(upload.pixels, make_digest(data), name, source, marks, notes=upload.notes))
    st.session_state[_HAS_JUST_COME] = True


def _drop_file(uploaded: "UploadedFile") -> None:
    """Remove the file from the server's memory, where it would stay until the session ends."""
    context = get_script_run_ctx()
    if context is not None:
        # Other file managers have no such method, and free the files themselves.
        with contextlib.suppress(AttributeError, StreamlitAPIException):
            context.uploaded_file_mgr.remove_file(context.session_id, uploaded.file_id)  # type: ignore[attr-defined]


def list_samples(workspace: Workspace) -> dict[str, Photo | None]:
    """Return named samples: a few held-out photos of different categories, and two without a bird.

    Pictures without a bird have no `Photo`; they are drawn by a program, and are the only samples
    of a workspace without photos.
    """
    first: dict[str, Photo] = {}
    for photo in workspace.held_out if workspace.dataset.has_photos else ():
        first.setdefault(photo.category, photo)
    birds = list(first.values())
    chosen = [birds[round(i * (len(birds) - 1) / _BIRDS)] for i in range(_BIRDS)] if birds else []
    named: dict[str, Photo | None] = {
        f"{format_category(photo.category)}, {name_photo(workspace, photo).lower()}": photo
        for photo in chosen
    }
    return named | dict.fromkeys(_DRAWINGS)


def _show_samples(workspace: Workspace) -> OwnPhoto:
    samples = list_samples(workspace)
    state.check_param(SAMPLE_KEY, samples, "sample")
    name = st.selectbox(
        "Sample",
        list(samples),
        key=SAMPLE_KEY,
        bind=state.BIND,
        width=300,
        help="Test photos of this workspace, and pictures without any bird drawn by a program.",
    )
    sample, kept = _load_sample(name, samples[name]), find(SAMPLE)
    # Another workspace may have a different sample of the same name.
    if kept is not None and (kept.name, kept.digest) == (sample.name, sample.digest):
        return kept
    keep(sample)
    return sample


def _load_sample(name: str, photo: Photo | None) -> OwnPhoto:
    if photo is None:
        image = _DRAWINGS[name]()
        marks = Marks(image.shape[1], image.shape[0])
        return OwnPhoto(image, make_digest(image.tobytes()), name, SAMPLE, marks)
    parts = cached.load_parts(photo)
    points = {
        index: (float(x), float(y))
        for index, ((x, y), is_seen) in enumerate(zip(parts.points, parts.visible, strict=True))
        if is_seen
    }
    marks = Marks(parts.image.shape[1], parts.image.shape[0], parts.box, points)
    digest = make_digest(parts.image.tobytes())
    return OwnPhoto(parts.image, digest, name, SAMPLE, marks, truth=photo.category)


def show_photo(photo: OwnPhoto) -> None:
    """Show the whole photo with its name and size."""
    picture = drawings.draw_photo(photo, side=pictures.LARGE_SIDE)
    st.image(picture, width="stretch", alt=describe_photo(photo))
    show_facts(photo)


def describe_photo(photo: OwnPhoto) -> str:
    """Say what the photo is, for screen readers."""
    return f"The photo: {photo.name}"


def show_facts(photo: OwnPhoto) -> None:
    """Show the photo's name and size, and what it may lack because of its file."""
    height, width = photo.image.shape[:2]
    st.caption(escape_markdown(f"{photo.name}, {width} × {height} pixels"))
    for note in photo.notes:
        st.caption(f":material/info: {note}")


def show_own_buttons(photo: OwnPhoto) -> None:
    """Show a button that drops the visitor's own photo, and say where it is kept."""
    if photo.source == SAMPLE:
        return
    st.button(
        "Forget this photo, take another",
        icon=":material/delete:",
        on_click=forget,
        args=(photo.source,),
        key="forget",
        help="Drops the photo and all that was computed of it, and asks for the next one.",
    )
    st.caption(
        "Only this session holds your photo, in memory. It is never written to disk, and gone "
        "when you forget it or soon after you close the page."
    )
