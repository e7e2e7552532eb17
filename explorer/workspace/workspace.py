"""The workspace: one folder with its data set, its classifier and the modules that explain it."""

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.workspace.files import WorkspaceFiles

if TYPE_CHECKING:
    from explorer.workspace.networks import Networks

_ALWAYS_THERE = ("auto", "cpu")


class Workspace(WorkspaceFiles):
    """A data set, the classifier trained on it, and the modules that explain it.

    What is done with a workspace stands in rooms above, such as
    `explorer.training.modules.train_modules` and `explorer.measuring.measure_module`, which take
    it as an argument.

    Parameters
    ----------
    path : Path
        Folder with a ``workspace.json``; see `explorer.workspace.create.create_workspace`.
    device : str
        Where networks run; see `explorer.nn.devices.choose_device`.

    Raises
    ------
    WorkspaceError
        When the folder is not a workspace, or was written by a newer version.
    ExplorerError
        When this machine has no such device.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        super().__init__(path)
        self._device = device
        self._networks: Networks | None = None
        if device not in _ALWAYS_THERE:
            _ = self.networks

    @property
    def networks(self) -> "Networks":
        """The classifier and the modules, loaded on first use."""
        with self.lock:
            if self._networks is None:
                # The first page is drawn from files alone. Importing torch takes 1.8 s more.
                from explorer.workspace.networks import Networks  # noqa: PLC0415

                self._networks = Networks(self, self._device)
            return self._networks

    @property
    def has_networks(self) -> bool:
        """Whether networks have been used, and so a device been chosen."""
        return self._networks is not None
