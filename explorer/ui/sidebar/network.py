"""The network in the sidebar: its layer, its accuracy, and the device that it runs on."""

from typing import TYPE_CHECKING

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.ui.shared import cached, state
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def show_network(place: "DeltaGenerator") -> None:
    """Show in the sidebar which network is explained, and its device once it is loaded.

    Call it after the page, so that it never loads a network that the page did not need.
    """
    with place:
        try:
            workspace = cached.open_workspace()
            accuracy = _read_accuracy(workspace)
        except ExplorerError:
            return
        measured = (
            "test accuracy not measured yet"
            if accuracy is None
            else f"test accuracy {accuracy:.1%}"
        )
        _show_network(workspace, measured)


def _read_accuracy(workspace: Workspace) -> float | None:
    """Return the measured test accuracy, or else the one that training reported."""
    measures = cached.load_accuracy_or_none(workspace)
    if measures is not None:
        return measures.test_accuracy
    reported = workspace.networks.classifier_report.get("test_accuracy")
    return float(reported) if isinstance(reported, int | float) else None


def _show_network(workspace: Workspace, measured: str) -> None:
    settings = workspace.settings
    network = f"Network: {settings.architecture}, explained at {settings.z_layer}; {measured}."
    # Streamlit forgets the choice of a device if its widget is hidden.
    if workspace.has_networks or state.get_device() != state.ANY_DEVICE:
        _show_device(workspace, network)
    else:
        st.caption(network, help=HELP["accuracy"])


def _show_device(workspace: Workspace, network: str) -> None:
    devices = workspace.networks.list_devices()
    name = str(workspace.networks.device)
    place = devices.get(name) or devices.get(f"{name}:0", name)
    with st.container():
        st.caption(f"{network} It runs on the {place}.", help=HELP["accuracy"])
        if len(devices) > 1 and not is_public():
            st.selectbox(
                "Device",
                [state.ANY_DEVICE, *devices],
                format_func=lambda name: devices.get(name, "the fastest"),
                key=state.DEVICE,
                help=HELP["device"],
            )
