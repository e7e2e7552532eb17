"""How much memory a process has in use, now and at its most (Linux only)."""

import threading
import time
from pathlib import Path


def read_memory(name: str) -> float:
    """Read a line of this process's memory, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise KeyError(name)


class Memory(threading.Thread):
    """Watches how much anonymous memory, which cannot be dropped at need, is in use at most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.most = read_memory("RssAnon")
        self.start()

    def run(self) -> None:
        while True:
            self.most = max(self.most, read_memory("RssAnon"))
            time.sleep(0.01)
