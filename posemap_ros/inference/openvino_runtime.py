"""OpenVINO as the runtime on a CPU. Importing this module needs the package openvino."""

from __future__ import annotations

import sys
import threading
import warnings

import numpy as np
import torch

# At import, openvino tells its makers over the network that it was used, unless the package that
# does so is missing. A robot tells nobody.
sys.modules.setdefault('openvino_telemetry', None)

import openvino  # noqa: E402
from openvino.frontend import FrontEndManager  # noqa: E402
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: E402

from posemap_ros.aprnet.network import APRNet  # noqa: E402
from posemap_ros.inference.pose_graph import PoseGraph  # noqa: E402
from posemap_ros.inference.runtime import Infer  # noqa: E402


class OpenVinoRuntime:
    """Compiles the graph for this machine's CPU, in single precision."""

    def __init__(self, threads: int) -> None:
        self.name = f'OpenVINO {openvino.__version__.split("-")[0]}'
        self._core = openvino.Core()
        self._options = {
            # bfloat16, the default where the CPU has it, moves a pose by centimetres.
            'INFERENCE_PRECISION_HINT': 'f32',
            'INFERENCE_NUM_THREADS': threads,
            'NUM_STREAMS': 1,
            # A thread that is tied to a core waits while another process keeps that core busy.
            'ENABLE_CPU_PINNING': False,
        }
        self._traced: torch.jit.ScriptModule | None = None
        self._traced_as: tuple | None = None
        self._tracing = threading.Lock()

    def compile(self, net: APRNet) -> Infer:
        with self._tracing:
            model = _convert(self._trace(net), net)
        request = self._core.compile_model(model, 'CPU', self._options).create_infer_request()
        lock = threading.Lock()

        def infer(pixels: np.ndarray) -> np.ndarray:
            with lock:
                (numbers,) = request.infer([pixels[None]], share_inputs=True).values()
            return numbers[0]

        return infer

    def _trace(self, net: APRNet) -> torch.jit.ScriptModule:
        """The network as TorchScript. PyTorch never frees what it has traced, so that the next
        revision's weights go into the trace of the first.
        """
        architecture = (net.camera, net.scene, type(net.backbone), type(net.head))
        if self._traced_as == architecture:
            self._traced.net.load_state_dict(net.state_dict(), strict=False)
            return self._traced
        pixels = torch.zeros(1, net.camera.height, net.camera.width, 3, dtype=torch.uint8)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of torch.jit's age, and that sizes become constants
            self._traced = torch.jit.trace(PoseGraph(net).eval(), pixels, check_trace=False)
        self._traced_as = architecture
        return self._traced


def _convert(traced: torch.jit.ScriptModule, net: APRNet) -> openvino.Model:
    # Not openvino.convert_model, whose options and reports nobody needs here.
    frontend = FrontEndManager().load_by_framework('pytorch')
    # Must live until the conversion is done; copies the weights, since others will take their
    # place in the trace.
    decoder = TorchScriptPythonDecoder(traced, shared_memory=False)
    model = frontend.convert(frontend.load(decoder))
    model.reshape([1, net.camera.height, net.camera.width, 3])
    return model
