"""Pickles that do something when they are opened."""

import os
from pathlib import Path
from typing import Any


class Bomb:
    """Unpickling it creates a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.target),))
