"""A workspace with its data set, its classifier and the modules that explain it."""

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.workspace.files import WorkspaceFiles

if TYPE_CHECKING:
    from explorer.workspace.networks import Networks

_ALWAYS_AVAILABLE = ("auto", "cpu")


class Workspace(WorkspaceFiles):
    """A data set, the classifier trained on it, and the modules that explain it.

    Functions that work on a workspace take it as an argument, such as
    `explorer.training.modules.train.train_modules` and
    `explorer.measuring.module.measure_module`.

    Parameters
    ----------
    path : Path
        Folder with a ``workspace.json``; see `explorer.workspace.create.create_workspace`.
    device : str
        Where networks run; see `explorer.nn.devices.choose_device`.

    Raises
    ------
    FileError, WorkspaceError
        As for `WorkspaceFiles`.
    ExplorerError
        When this machine does not have the device.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        super().__init__(path)
        self._device = device
        self._networks: Networks | None = None
        if device not in _ALWAYS_AVAILABLE:
            _ = self.networks

    @property
    def networks(self) -> "Networks":
        """The classifier and the modules, loaded on first use."""
        with self.lock:
            if self._networks is None:
                # The first page needs only files. Importing torch takes another 1.8 s.
                from explorer.workspace.networks import Networks  # noqa: PLC0415

                self._networks = Networks(self, self._device)
            return self._networks

    @property
    def has_networks(self) -> bool:
        """Whether networks have been used, so that a device has been chosen."""
        return self._networks is not None
