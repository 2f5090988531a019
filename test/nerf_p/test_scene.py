"""The scene's frame: all of space in a cube, and depths from near to far."""

import numpy as np
import pytest
import torch
from tiny_environment import circle_of_poses

from posemap_ros.nerf_p.scene import SceneFrame


@pytest.fixture
def scene() -> SceneFrame:
    return SceneFrame.from_poses(torch.from_numpy(circle_of_poses(12, radius_m=2.0)))


def test_radius_holds_all_cameras_with_a_margin(scene: SceneFrame) -> None:
    positions = torch.from_numpy(circle_of_poses(12, radius_m=2.0)[:, :3, 3]).float()
    assert 2.0 < scene.radius_m <= 1.5 * 2.0 + 1e-6
    assert scene.normalise(positions).abs().max() <= 0.5


def test_a_camera_that_only_turned_still_has_a_scene() -> None:
    poses = circle_of_poses(8)
    poses[:, :3, 3] = (5.0, 6.0, 7.0)
    assert SceneFrame.from_poses(torch.from_numpy(poses)).radius_m == 0.5


def test_inner_space_is_linear_and_outer_contracted(scene: SceneFrame) -> None:
    centre = scene.T_world_scene
    for distance, expected in [(0.0, 0.0), (0.5, 0.25), (1.0, 0.5), (2.0, 0.75), (1e6, 1.0)]:
        local = torch.tensor([0.0, distance * scene.radius_m, 0.0])
        world = centre[:3, :3] @ local + centre[:3, 3]
        # mip-NeRF 360, equation 10, in the maximum norm, halved: (2 - 1/d) / 2 outside.
        assert scene.normalise(world)[1].item() == pytest.approx(expected, abs=1e-4)


def test_normalisation_keeps_directions_and_order(scene: SceneFrame) -> None:
    direction = torch.nn.functional.normalize(torch.tensor([1.0, -2.0, 0.5]), dim=0)
    distances = torch.linspace(0.1, 500.0, 300)[:, None]
    points = scene.T_world_scene[:3, 3] + distances * direction
    mapped = scene.normalise(points)
    assert (mapped.norm(dim=-1).diff() > 0).all() and mapped.abs().max() <= 1.0
    unit = mapped / mapped.norm(dim=-1, keepdim=True)
    assert torch.allclose(unit, unit[:1].expand_as(unit), atol=1e-4)


def test_depths_run_from_near_to_far(scene: SceneFrame) -> None:
    depths = scene.spacing_to_depth(torch.linspace(0, 1, 1001))
    assert depths[0].item() == pytest.approx(scene.near_m)
    assert depths[500].item() == pytest.approx(scene.radius_m, rel=1e-5)
    assert depths[-1].item() == pytest.approx(scene.far_m, rel=1e-4)
    assert (depths.diff() > 0).all()
    # Linear in depth before the radius, in disparity behind it.
    assert np.ptp(np.diff(depths[:500].numpy())) < 1e-4
    assert np.ptp(np.diff(1.0 / depths[501:].numpy())) < 1e-4
