"""Renders for training: what they hold, that they survive the disk."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from tiny_environment import CAMERA, circle_of_poses

from posemap_ros.aprnet.renders import (
    InvalidRenders,
    PosedViews,
    render_views,
)
from posemap_ros.environment import Environment
from posemap_ros.nerf_p.nerf_p import NeRFP

POSES = torch.from_numpy(circle_of_poses(6)).float()
HISTOGRAMS = torch.full((6, 10), 0.1)


@pytest.fixture
def nerf(pristine_environment: Path) -> NeRFP:
    return Environment.load(pristine_environment).load_nerf_p()


def test_views_are_what_nerf_p_shows(nerf: NeRFP, tmp_path: Path) -> None:
    small, calls = CAMERA.resized(16, 12), []
    views = render_views(nerf, POSES, HISTOGRAMS, small, lambda: calls.append(1))
    assert len(views) == len(calls) == 6
    with torch.no_grad():
        view = nerf.render_view(POSES[4], small, HISTOGRAMS[4])
    assert (views.images[4] / 255.0 - view.rgb).abs().max() <= 0.5 / 255.0 + 1e-6
    views.save(tmp_path / 'views.safetensors')
    again = PosedViews.load(tmp_path / 'views.safetensors')
    assert all(torch.equal(a, b) for a, b in zip(vars(views).values(), vars(again).values()))


@pytest.mark.parametrize('damage', ['', 'text', 'other tensors'])
def test_damaged_renders_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / 'photos.safetensors'
    path.write_bytes(save({'a': torch.zeros(1)}) if damage == 'other tensors' else damage.encode())
    with pytest.raises(InvalidRenders, match='photos.safetensors.*remove it'):
        PosedViews.load(path)
