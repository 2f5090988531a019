"""Which runtime executes APRNet.

On a CPU this is OpenVINO, and plain PyTorch where the package openvino is not installed. PyTorch
takes Python's lock at each of its few hundred operations, and beside a busy Python thread waits
for it as often; OpenVINO is called once and does without. ONNX Runtime and PyTorch's own compiler
(torch.jit) do, too: OpenVINO was the fastest of all on both backbones, idle and under load, takes
a traced PyTorch module as it is, and has wheels for x86-64 and aarch64 and each Python that ROS 2
comes with. `benchmarks/bench_inference.py` measures them side by side.

On CUDA it is one CUDA graph in half precision.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch

from posemap_ros.aprnet.network import APRNet

# Pixels uint8 RGB [H, W, 3] of the network's camera -> the numbers [K] float32 of its PoseGraph.
# Safe to call from several threads, which take turns.
Infer = Callable[[np.ndarray], np.ndarray]


class Runtime(Protocol):
    """Makes networks of one architecture executable."""

    name: str  # with its version, for people

    def compile(self, net: APRNet) -> Infer:
        """The `PoseGraph` of a network in evaluation mode, with the weights it has now."""


def choose_runtime(device: torch.device, threads: int = 0) -> Runtime:
    """The best runtime for a device; `threads` of a CPU, 0 is `default_threads`."""
    if device.type == 'cuda':
        from posemap_ros.inference.cuda_runtime import CudaRuntime

        return CudaRuntime(device)
    threads = threads or default_threads()
    if device.type == 'cpu':
        try:
            from posemap_ros.inference.openvino_runtime import OpenVinoRuntime
        except ImportError:
            pass
        else:
            return OpenVinoRuntime(threads)
    from posemap_ros.inference.torch_runtime import TorchRuntime

    return TorchRuntime(device, threads)


def default_threads() -> int:
    """Half of the cores that this process may use, at least one and at most four.

    With a thread for each core, all of them wait wherever another process has one of the cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return min(max((cores or 1) // 2, 1), 4)
