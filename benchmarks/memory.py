"""Current and peak memory of this process (Linux only)."""

import threading
import time
from pathlib import Path


def read_memory(name: str) -> float:
    """Return a memory field of ``/proc/self/status``, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise KeyError(name)


class MemoryWatcher(threading.Thread):
    """Records the peak of anonymous memory, which the system cannot reclaim."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.peak = read_memory("RssAnon")
        self.start()

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, read_memory("RssAnon"))
            time.sleep(0.01)
