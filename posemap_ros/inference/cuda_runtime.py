"""A CUDA graph as the runtime on an NVIDIA GPU."""

from __future__ import annotations

import copy
import threading

import numpy as np
import torch
from torch import Tensor, nn

from posemap_ros.aprnet.network import APRNet
from posemap_ros.inference.pose_graph import PoseGraph
from posemap_ros.inference.runtime import Infer

_WARM_UPS = 3  # in which cuDNN chooses its algorithms


class CudaRuntime:
    """Records the graph's kernels once and replays them with one call: to launch them one by one
    takes longer than they run.

    Convolutions are in float16, which is eight times finer than bfloat16; sums over what they give
    are in float32.
    """

    def __init__(self, device: torch.device) -> None:
        self.name = f'CUDA graph on {torch.cuda.get_device_name(device)}'
        self._device = device
        # Sizes never change: the first images find what is fastest.
        torch.backends.cudnn.benchmark = True

    def compile(self, net: APRNet) -> Infer:
        return _RecordedNetwork(net, self._device)


class _RecordedNetwork:
    """Its kernels read weights and pixels where these were when they were recorded, so all of that
    is kept.
    """

    def __init__(self, net: APRNet, device: torch.device) -> None:
        size = (1, net.camera.height, net.camera.width, 3)
        self._host_pixels = torch.zeros(size, dtype=torch.uint8, pin_memory=True)
        self._pixels = self._host_pixels.to(device)
        self._network = PoseGraph(_with_fused_convolutions(net))
        self._recording, self._stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
        self._stream.wait_stream(torch.cuda.current_stream(device))
        with (
            torch.cuda.stream(self._stream),
            torch.no_grad(),
            # Casts that are cached would not live as long as the recording.
            torch.autocast('cuda', dtype=torch.float16, cache_enabled=False),
        ):
            for _ in range(_WARM_UPS):
                self._network(self._pixels)
            # Other threads may use the GPU meanwhile.
            with torch.cuda.graph(
                self._recording, stream=self._stream, capture_error_mode='thread_local'
            ):
                self._numbers = self._network(self._pixels)
        self._host_numbers = torch.empty(self._numbers.shape, pin_memory=True)
        self._lock = threading.Lock()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """See `Infer`."""
        with self._lock, torch.cuda.stream(self._stream):
            self._host_pixels.numpy()[0] = image
            self._pixels.copy_(self._host_pixels, non_blocking=True)
            self._recording.replay()
            self._host_numbers.copy_(self._numbers, non_blocking=True)
            self._stream.synchronize()
            return self._host_numbers.numpy()[0].copy()


class _ConvRelu(nn.Module):
    """A convolution, its bias and the ReLU after it as one kernel: three would read and write the
    features three times, which takes longer than to compute them.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._weight = conv.weight.detach().half().contiguous(memory_format=torch.channels_last)
        self._bias = conv.bias.detach().half()
        self._geometry = conv.stride, conv.padding, conv.dilation, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        x = x.half().contiguous(memory_format=torch.channels_last)
        return torch.cudnn_convolution_relu(x, self._weight, self._bias, *self._geometry)


def _with_fused_convolutions(net: APRNet) -> APRNet:
    """A copy in which each convolution of a sequence that a ReLU follows is one with it."""
    net = copy.deepcopy(net)
    for sequence in [m for m in net.backbone.modules() if isinstance(m, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            conv, after = sequence[index], sequence[index + 1]
            if type(conv) is nn.Conv2d and isinstance(after, nn.ReLU):
                # In the same places: VGG finds its taps by them.
                sequence[index], sequence[index + 1] = _ConvRelu(conv), nn.Identity()
    return net
