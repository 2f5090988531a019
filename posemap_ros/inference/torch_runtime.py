"""Plain PyTorch as the runtime, where there is no other."""

from __future__ import annotations

import numpy as np
import torch

from posemap_ros.aprnet.network import APRNet
from posemap_ros.inference.pose_graph import PoseGraph
from posemap_ros.inference.runtime import Infer
from posemap_ros.support.memory import keep_freed_memory


class TorchRuntime:
    """Executes the graph's operations one by one, on any device of PyTorch's.

    Not traced and frozen: that is hardly faster, and each network that torch.jit has seen stays
    in memory.

    Args:
        threads: of PyTorch on a CPU, in all of this process.
    """

    def __init__(self, device: torch.device, threads: int) -> None:
        self.name = f'PyTorch {torch.__version__}'
        self._device = device
        keep_freed_memory()
        if device.type == 'cpu':
            torch.set_num_threads(threads)

    def compile(self, net: APRNet) -> Infer:
        graph = PoseGraph(net)

        def infer(pixels: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return graph(torch.from_numpy(pixels[None]).to(self._device))[0].cpu().numpy()

        return infer
