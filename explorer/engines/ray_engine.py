"""The engine that runs tasks with Ray, on this machine or on a cluster."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from explorer.config import ExplorerError
from explorer.engines.tasks import Engine, Outcome, Task, run_task
from explorer.nn.devices import limit_threads
from explorer.workspace.workspace import Workspace

# Read by Ray on import. The first keeps a local Ray from listening to the whole network, which is
# the default on Linux only. The second disables usage statistics.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as missing:
    raise ExplorerError(
        "Ray is not installed. Install it with `pip install .[cluster]`, or use --engine local."
    ) from missing

_CONNECT_SECONDS = 10
_THREADS = 1  # each task has a core of its own
_RETRIES = 3  # of a task whose worker or machine died


def make_engine(address: str = "", workers: int = 0) -> Engine:
    """Return an engine for `explorer.engines.tasks.run_tasks`.

    Parameters
    ----------
    address : str
        Address of a running cluster, whose machines have the workspace under the same path. Empty
        to start Ray on this machine, only for these tasks and not reachable from outside.
    workers : int
        Number of simultaneous tasks if Ray is started here; 0 for one per core.

    Raises
    ------
    ExplorerError
        For invalid arguments; and from the engine if the cluster does not answer.

    Notes
    -----
    Tasks use one thread each, and on a CUDA device a whole GPU. A task whose worker dies is tried
    again. Closing the engine's iterator, as an interrupt does, cancels the remaining tasks.
    """
    if workers < 0:
        raise ExplorerError("The number of workers must be at least 1, or 0 for one per core.")
    if address and workers:
        raise ExplorerError(
            "A cluster has its own workers: use only one of --workers and --address."
        )

    def engine(workspace: Workspace, tasks: Sequence[Task]) -> Iterator[Outcome]:
        with _connect(address, workers):
            yield from _run_tasks(workspace, tasks)

    return engine


@contextlib.contextmanager
def _connect(address: str, workers: int) -> Iterator[None]:
    try:
        if address:
            _check_reachable(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        else:
            ray.init(
                address="local",
                num_cpus=workers or None,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.WARNING,
                _node_ip_address="127.0.0.1",
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ExplorerError(
            f"Ray did not start: {error} Check --address, or use --engine local."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise `OSError` if nothing listens at an address, where Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()


def _run_tasks(workspace: Workspace, tasks: Sequence[Task]) -> Iterator[Outcome]:
    device = workspace.networks.device.type  # Ray chooses the GPU
    if device == "cuda" and not ray.cluster_resources().get("GPU"):
        raise ExplorerError("Ray has no GPU to compute on. Use --device cpu.")
    remote = ray.remote(
        num_cpus=1, num_gpus=int(device == "cuda"), max_retries=_RETRIES, retry_exceptions=False
    )(_run_remotely)
    waiting = {remote.remote(str(workspace.path), device, task): task for task in tasks}
    try:
        while waiting:
            (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
            yield _collect(ready, waiting.pop(ready))
    finally:
        for reference in waiting:
            ray.cancel(reference)


def _collect(reference: "ray.ObjectRef[Outcome]", task: Task) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except RayTaskError:  # a bug, not a failed task
        raise
    except RayError as error:
        return Outcome(task, f"Ray gave up after {_RETRIES} retries: {error}")
    return outcome


def _run_remotely(path: str, device: str, task: Task) -> Outcome:
    try:
        workspace = _open_workspace(path, device)
    except ExplorerError as error:
        return Outcome(task, str(error))
    with limit_threads(_THREADS):
        return run_task(workspace, task)


@lru_cache(maxsize=1)
def _open_workspace(path: str, device: str) -> Workspace:
    """Open a workspace, once for all tasks of a worker."""
    return Workspace(Path(path), device)
