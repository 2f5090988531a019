"""The scene's frame: all of space in a cube, and depths from near to far."""

from dataclasses import replace

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


def test_one_mistaken_pose_makes_nothing_coarse(scene: SceneFrame) -> None:
    poses = np.concatenate([circle_of_poses(12, radius_m=2.0)] * 20)
    poses[100, :3, 3] += 60.0
    assert SceneFrame.from_poses(torch.from_numpy(poses)).radius_m < 2.0 * scene.radius_m


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


def test_points_of_a_room_that_was_driven_through_change_nothing(scene: SceneFrame) -> None:
    """redkitchen and the demo's room: things 0.7 to 4 m away, the cameras' cube of 1.8 and 2.8 m.
    Recipes are tuned for what the cube gives there.
    """
    poses = torch.from_numpy(circle_of_poses(12, radius_m=2.0))
    depths = torch.linspace(0.7, 4.0, 1000)
    points = scene.T_world_scene[:3, 3] + torch.linspace(-4, 4, 1000)[:, None] * torch.ones(3)
    assert SceneFrame.from_poses(poses, points, depths) == scene


def test_far_points_enlarge_the_cube_and_near_ones_bring_samples_closer() -> None:
    """By hand: half of them, up to 30 m, are within two radii; near is half the first percent."""
    poses = torch.from_numpy(circle_of_poses(12, radius_m=2.0))
    centre = SceneFrame.from_poses(poses).T_world_scene[:3, 3]
    points = centre + torch.linspace(0.0, 60.0, 1001)[:, None] * torch.ones(3)
    depths = torch.linspace(0.2, 10.2, 1001)
    scene = SceneFrame.from_poses(poses, points, depths)
    turn = scene.T_world_scene[:3, :3].abs().sum(0).max()  # of the diagonal, seen along an axis
    assert scene.radius_m == pytest.approx(15.0 * float(turn), rel=1e-4)
    assert scene.near_m == pytest.approx(0.15, rel=1e-3)
    assert scene.middle_m == pytest.approx(9.2, rel=1e-3)
    depths = scene.spacing_to_depth(torch.tensor([0.0, 0.25, 0.5, 1.0]))
    expected = [0.15, (0.15 + 9.2) / 2, 9.2, 100 * scene.radius_m]
    assert depths.tolist() == pytest.approx(expected, rel=1e-3)


def test_a_horizon_does_not_make_what_is_near_coarse() -> None:
    """A terrace above a town: four points of ten are some hundred metres away."""
    poses = torch.from_numpy(circle_of_poses(12, radius_m=2.0))
    alone = SceneFrame.from_poses(poses)
    depths = torch.cat([torch.linspace(1.0, 5.0, 600), torch.linspace(100.0, 500.0, 400)])
    points = alone.T_world_scene[:3, 3] + depths[:, None] * torch.tensor([0.0, 0.0, 1.0])
    scene = SceneFrame.from_poses(poses, points, depths)
    assert scene.radius_m == alone.radius_m and scene.middle_m == scene.radius_m
    near = SceneFrame.from_poses(poses, points, depths / 4.0)
    assert near.middle_m == pytest.approx(2.0 * float(depths.quantile(0.5)) / 4.0)


def test_what_is_stored_is_read_and_what_was_stored_before_still_is(scene: SceneFrame) -> None:
    moved = replace(scene, near_m=0.02, middle_m=1.0)
    assert SceneFrame.from_dict(moved.to_dict()) == moved
    old = {'centre': list(scene.centre), 'radius_m': scene.radius_m}
    assert SceneFrame.from_dict(old) == scene
    assert (scene.near_m, scene.middle_m) == (0.05 * scene.radius_m, scene.radius_m)


def test_a_scene_the_size_of_a_college_keeps_its_precision() -> None:
    """Cameras some 100 m from the origin, as in Cambridge Landmarks: positions to 0.1 mm."""
    poses = circle_of_poses(12, radius_m=40.0)
    poses[:, :3, 3] += (-123.456789, 87.654321, 1.5)
    scene = SceneFrame.from_poses(torch.from_numpy(poses))
    centre = poses[:, :3, 3].mean(0)
    R = np.array(scene.centre).reshape(4, 4)[:3, :3]
    expected = (poses[:, :3, 3] - centre) @ R / scene.radius_m / 2
    computed = scene.normalise(torch.from_numpy(poses[:, :3, 3]).float()).double().numpy()
    assert np.abs(computed - expected).max() * 2 * scene.radius_m < 1e-4


def test_depths_go_back_to_where_they_come_from(scene: SceneFrame) -> None:
    spacing = torch.linspace(0.0, 1.0, 101)
    found = scene.depth_to_spacing(scene.spacing_to_depth(spacing))
    assert torch.allclose(found, spacing, atol=1e-4)
    outside = torch.tensor([0.1 * scene.near_m, 10.0 * scene.far_m, float('inf')])
    assert scene.depth_to_spacing(outside).tolist() == [0.0, 1.0, 1.0]
