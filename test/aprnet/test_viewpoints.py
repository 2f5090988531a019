"""Which synthetic views are drawn."""

from pathlib import Path

import pytest
import torch
from tiny_environment import CAMERA, circle_of_poses

from posemap_ros.aprnet.viewpoints import draw_views, move_towards_others, shows_scene
from posemap_ros.environment import Environment
from posemap_ros.geometry import rotation_error_deg
from posemap_ros.nerf_p.nerf_p import NeRFP, PoseMap
from posemap_ros.recipe import ViewsRecipe

POSES = torch.from_numpy(circle_of_poses(6)).float()
VIEWS = ViewsRecipe(max_translation_m=0.2, max_translation_radii=0.0, max_rotation_deg=10.0)


@pytest.fixture
def nerf(pristine_environment: Path) -> NeRFP:
    return Environment.load(pristine_environment).load_nerf_p()


def test_blocked_and_empty_views_are_told_from_good_ones() -> None:
    opacity = torch.tensor([[1.0] * 10, [1.0] * 10, [0.5] * 10])
    depth = torch.full((3, 10), 2.0)
    depth[1, :4] = 0.05  # four cells of ten right before the lens
    posemap = PoseMap(torch.zeros(3, 10, 256), opacity, depth)
    assert shows_scene(posemap, near_m=0.1).tolist() == [True, False, False]


def test_views_are_drawn_near_their_poses_and_bad_ones_replaced(nerf: NeRFP, monkeypatch) -> None:
    good = torch.tensor([True, False, True, False, True, True])
    answers = [good, torch.tensor([False, True]), *[torch.tensor([False])] * 3]
    module = 'posemap_ros.aprnet.viewpoints.shows_scene'
    monkeypatch.setattr(module, lambda posemap, near_m: answers.pop(0))
    drawn = draw_views(nerf, POSES, VIEWS, CAMERA, torch.Generator().manual_seed(0))
    assert not answers
    # The one that never came out well is the pose itself.
    assert torch.equal(drawn[1], POSES[1])
    moved = (drawn - POSES)[:, :3, 3].abs().amax(1)
    assert (moved[[0, 2, 3, 4, 5]] > 0).all() and moved.max() <= 0.2
    assert rotation_error_deg(drawn, POSES).max() <= 30.0


def test_views_lie_on_the_way_to_photos_that_are_near_enough() -> None:
    poses = torch.eye(4).repeat(300, 1, 1)
    photos = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 3.0]])
    moved = move_towards_others(poses, photos, 1.5, torch.Generator().manual_seed(0))
    assert torch.equal(moved[:, :3, :3], poses[:, :3, :3])
    x, y, z = moved[:, :3, 3].T
    assert (z == 0).all()  # that photo is too far away
    assert (((x > 0) ^ (y > 0)) | ((x == 0) & (y == 0))).all()  # towards one at a time
    assert x.max() > 0.9 and y.max() > 0.45 and x.max() <= 1 and y.max() <= 0.5
    assert 0.3 < (x > 0).float().mean() < 0.7
    stay = move_towards_others(poses, photos, 0.1, torch.Generator().manual_seed(0))
    assert torch.equal(stay, poses)
