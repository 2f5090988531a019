"""
Imports torchvision where its compiled operators do not fit the torch that is installed.

The torchvision on PyPI is built for CUDA. Beside a CPU-only torch its library of operators does
not load, and ``import torchvision`` then stops at ``operator torchvision::nms does not exist``,
although only detection models ever call them. Declaring those operators first cures it; where the
real ones load, this does nothing.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

_OPERATORS = (
    'nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
)
# Kept for the life of the process: its operators vanish with it.
_library = torch.library.Library('torchvision', 'FRAGMENT')


def import_torchvision() -> ModuleType:
    """Return the torchvision module, without calling any of its compiled operators."""
    try:
        return importlib.import_module('torchvision')
    except RuntimeError as error:
        if 'torchvision::' not in str(error):
            raise
    for schema in _OPERATORS:
        _library.define(schema)
    return importlib.import_module('torchvision')
