"""The ways into the explorer on the first page: the birds that come with it."""

from functools import partial

import streamlit as st

from explorer.ui.shared import state
from explorer.ui.shared.workspaces import introduce


def show_workspaces() -> None:
    """Offer the workspaces that come with the explorer, where there are several to choose from."""
    named = state.name_workspaces()
    known = {name: told for name, path in named.items() if (told := introduce(path))}
    if len(named) == 1 or not known:
        return
    chosen = state.get_workspace_name()
    with st.container(key="workspaces"):
        for number, (name, told) in enumerate(known.items()):
            look = "chosen" if name == chosen else "other"
            with st.container(key=f"workspace-{look}-{number}", border=True, gap="xxsmall"):
                if name == chosen:
                    st.markdown(f":material/check: {name}, shown here")
                else:
                    st.button(
                        name,
                        icon=":material/arrow_forward:",
                        type="tertiary",
                        on_click=partial(state.choose_workspace, name),
                        key=f"choose-workspace-{number}",
                    )
                st.caption(told.sentence)
