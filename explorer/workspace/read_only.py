"""The facade of a public server: a workspace that nobody can change through it."""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from explorer.config import Progress
from explorer.workspace.layout import WorkspaceError
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from explorer.workspace.features import Features


class ReadOnlyWorkspace(Workspace):
    """A workspace whose folder is only ever read, whether it could be written to or not.

    What pages compute of its photos is held in memory. Everything that trains, measures or
    installs raises `WorkspaceError` and has no effect.
    """

    def compute_features(self, *, store: bool = False) -> "Generator[Progress, None, Features]":  # noqa: ARG002
        """Read Z and the logits of every photo, or compute them; they are never stored."""
        return (yield from super().compute_features(store=False))

    def install_classifier(self, backbone: Any, report: Mapping[str, Any]) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def finetune(self, *args: Any, **options: Any) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def measure_classifier(self) -> NoReturn:
        """Refuse."""
        self._refuse()

    def train_module(self, *args: Any, **options: Any) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def train_modules(self, *args: Any, **options: Any) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def evaluate_module(self, *args: Any, **options: Any) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise WorkspaceError(f"{self.path} is open for reading only. Use the command line.")
