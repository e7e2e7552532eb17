"""Importing torchvision with a CPU-only build of torch."""

import importlib
from types import ModuleType

import torch

_MISSING_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision() -> ModuleType:
    """Import torchvision; if its compiled operators cannot be loaded, declare them first.

    The published wheel of torchvision is linked against a CUDA build of torch. With a CPU-only
    build, its operator library is not loaded, and the import fails at the first Python function
    that is registered for one of its operators. The explorer uses none of them, so declaring their
    signatures is enough.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _MISSING_OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _keep_alive.append(library)
    return importlib.import_module("torchvision")


# An operator exists only as long as the library object that declared it.
_keep_alive: list[torch.library.Library] = []
