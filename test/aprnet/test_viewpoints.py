"""Which synthetic views are drawn."""

from pathlib import Path

import pytest
import torch
from mapped_room import RoomField
from textured_room import SIZE_M
from tiny_environment import CAMERA, circle_of_poses

from posemap_ros.aprnet.viewpoints import draw_views, shows_scene, way_is_free
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


def test_a_way_through_a_wall_is_not_free() -> None:
    half = float(SIZE_M[0]) / 2
    start = torch.tensor([half - 0.4, 0.1, 0.1]).expand(3, 3)
    steps = torch.tensor([[0.2, 0.01, 0.01], [0.8, 0.01, 0.01], [-0.8, 0.01, 0.01]])
    assert way_is_free(RoomField(), start, start + steps).tolist() == [True, False, True]


def test_views_are_drawn_near_their_poses_and_bad_ones_replaced(nerf: NeRFP, monkeypatch) -> None:
    good = torch.tensor([True, False, True, False, True, True])
    answers = [good, torch.tensor([False, True]), *[torch.tensor([False])] * 3]
    module = 'posemap_ros.aprnet.viewpoints.shows_scene'
    monkeypatch.setattr(module, lambda posemap, near_m: answers.pop(0))
    free = 'posemap_ros.aprnet.viewpoints.way_is_free'
    monkeypatch.setattr(free, lambda nerf, start, end: torch.ones(len(start), dtype=torch.bool))
    drawn = draw_views(nerf, POSES, VIEWS, CAMERA, torch.Generator().manual_seed(0))
    assert not answers
    # The one that never came out well is the pose itself.
    assert torch.equal(drawn[1], POSES[1])
    moved = (drawn - POSES)[:, :3, 3].abs().amax(1)
    assert (moved[[0, 2, 3, 4, 5]] > 0).all() and moved.max() <= 0.2
    assert rotation_error_deg(drawn, POSES).max() <= 30.0
