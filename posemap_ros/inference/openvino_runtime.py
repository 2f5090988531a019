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

_PREFIX = 'self.net.'  # of the weights of `PoseGraph.net` in OpenVINO's model


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
        self._model: openvino.Model | None = None
        self._model_of: tuple | None = None
        self._converting = threading.Lock()

    def compile(self, net: APRNet) -> Infer:
        with self._converting:
            model = self._convert(net)
        request = self._core.compile_model(model, 'CPU', self._options).create_infer_request()
        lock = threading.Lock()

        def infer(pixels: np.ndarray) -> np.ndarray:
            with lock:
                (numbers,) = request.infer([pixels[None]], share_inputs=True).values()
            return numbers[0]

        return infer

    def _convert(self, net: APRNet) -> openvino.Model:
        """The network as OpenVINO has it. To convert one holds Python's lock for most of half a
        second, and PyTorch never frees what it has traced for that: so the next revision's weights
        take the place of the first's.
        """
        architecture = (net.camera, net.scene, type(net.backbone), type(net.head))
        if self._model_of == architecture:
            model = self._model.clone()
            if _put_weights(net, model):
                return model
        self._model, self._model_of = _converted(net), architecture
        return self._model


def _converted(net: APRNet) -> openvino.Model:
    pixels = torch.zeros(1, net.camera.height, net.camera.width, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of torch.jit's age, and that sizes become constants
        traced = torch.jit.trace(PoseGraph(net).eval(), pixels, check_trace=False)
    # Not openvino.convert_model, whose options and reports nobody needs here.
    frontend = FrontEndManager().load_by_framework('pytorch')
    # Must live until the conversion is done; copies the weights, which may change.
    decoder = TorchScriptPythonDecoder(traced, shared_memory=False)
    model = frontend.convert(frontend.load(decoder))
    model.reshape([1, net.camera.height, net.camera.width, 3])
    return model


def _put_weights(net: APRNet, model: openvino.Model) -> bool:
    """Replace the weights in a model of the same architecture, where they have PyTorch's names.

    Returns:
        whether they have; a part may have been replaced all the same.
    """
    weights = {f'{_PREFIX}{name}': value for name, value in net.state_dict().items()}
    missing = {f'{_PREFIX}backbone.{name}' for name, _ in net.backbone.named_parameters()}
    for constant in model.get_ops():
        name = constant.get_friendly_name()
        if constant.get_type_name() != 'Constant' or name not in weights:
            continue
        value = weights[name].numpy()
        if list(value.shape) != list(constant.get_output_shape(0)):
            return False
        replaced = openvino.op.Constant(value)
        replaced.set_friendly_name(name)
        for target in constant.output(0).get_target_inputs():
            target.replace_source_output(replaced.output(0))
        missing.discard(name)
    return not missing
