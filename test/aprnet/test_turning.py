"""Turned images against photographs that a turned camera takes."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_environment import CAMERA, circle_of_poses, photograph

from posemap_ros.aprnet.turning import cells_inside, random_turns, turn_images, turn_poses
from posemap_ros.camera import Camera

POSES = torch.from_numpy(circle_of_poses(5)).float()
# Neither its centre nor its focal lengths are what a test could get right by chance.
CROOKED = Camera(64, 48, 50.0, 46.0, 29.0, 26.5)


def photos(poses: torch.Tensor, camera: Camera) -> torch.Tensor:
    taken = [torch.from_numpy(photograph(p.double().numpy(), camera)) for p in poses]
    return torch.stack(taken).permute(0, 3, 1, 2) / 255.0


def turns(degrees: float, share: float = 1.0, count: int = len(POSES)) -> torch.Tensor:
    return random_turns(count, share, degrees, torch.Generator().manual_seed(3))


@pytest.mark.parametrize('camera', [CAMERA, CROOKED])
def test_a_turned_image_is_what_the_turned_camera_sees(camera: Camera) -> None:
    turned = turn_images(photos(POSES, camera), turns(15.0), camera)
    taken = photos(turn_poses(POSES, turns(15.0)), camera)
    shown = turned.amin(1, keepdim=True) > 0
    assert 0.5 < shown.float().mean() < 0.95
    # At the border, half of a pixel may come from beyond it, which is black.
    off = ((turned - taken).abs() * shown).flatten()
    assert off.quantile(0.9) < 0.01 and off.mean() < 0.01


def test_without_a_turn_nothing_changes() -> None:
    images = photos(POSES, CAMERA)
    assert torch.allclose(turn_images(images, turns(15.0, share=0.0), CAMERA), images, atol=1e-5)
    assert torch.equal(turn_poses(POSES, turns(15.0, share=0.0)), POSES)
    assert cells_inside(turns(15.0, share=0.0), CAMERA).all()


def test_cells_that_the_image_does_not_reach() -> None:
    """Turned to the right by a quarter of what it sees, it shows nothing new on the right."""
    angle = torch.tensor(math.atan(16.0 / 50.0))
    c, s = angle.cos(), angle.sin()
    right = torch.tensor([[[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]])
    inside = cells_inside(right, CAMERA).reshape(3, 4)
    # The middle of the second column is where the third of four begins, of the third at its end.
    assert inside.tolist() == [[True, True, True, False]] * 3
    assert not turn_images(torch.ones(1, 3, 48, 64), right, CAMERA)[..., 50:].any()


def test_what_lies_behind_is_not_shown() -> None:
    back = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))[None]
    assert not turn_images(torch.ones(1, 3, 48, 64), back, CAMERA).any()
    assert not cells_inside(back, CAMERA).any()


def test_a_share_is_turned_by_up_to_so_much() -> None:
    drawn = turns(10.0, share=0.6, count=4000)
    still = (drawn - torch.eye(3)).abs().amax((1, 2)) == 0
    assert still.float().mean().item() == pytest.approx(0.4, abs=0.03)
    angles = torch.rad2deg(((drawn.diagonal(dim1=1, dim2=2).sum(-1) - 1) / 2).clamp(-1, 1).acos())
    assert angles.max() <= 10.0 * math.sqrt(3.0) and angles.max() > 14.0
    assert torch.allclose(drawn @ drawn.transpose(1, 2), torch.eye(3), atol=1e-5)
