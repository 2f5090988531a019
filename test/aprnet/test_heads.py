"""Pose heads: rotations are rotations, and scene points are solved exactly."""

import pytest
import roma
import torch

from posemap_ros.aprnet.heads import HEADS, ScenePointHead
from posemap_ros.camera import Camera

RAYS = Camera(64, 48, 50.0, 50.0, 32.0, 24.0).rays(stride=16)


@pytest.mark.parametrize('name', HEADS)
def test_every_rotation_is_in_so3(name: str) -> None:
    torch.manual_seed(0)
    head = HEADS[name](8, 2.0, RAYS)
    features = 3.0 * torch.randn(16, 8, 3, 4, generator=torch.Generator().manual_seed(1))
    out = head(features)
    rotation = out.T_scene_cam[:, :3, :3]
    assert torch.allclose(torch.det(rotation), torch.ones(16), atol=1e-4)
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(16, 3, 3), atol=1e-4)
    assert out.log_sigma.shape == (16, 2) and torch.isfinite(out.log_sigma).all()


@pytest.mark.parametrize('name', HEADS)
def test_the_pose_trains_the_features(name: str) -> None:
    torch.manual_seed(0)
    head = HEADS[name](8, 2.0, RAYS)
    features = torch.randn(4, 8, 3, 4, generator=torch.Generator().manual_seed(1))
    features.requires_grad_(True)
    head(features).T_scene_cam[:, :3].square().sum().backward()
    assert torch.isfinite(features.grad).all() and features.grad.abs().sum() > 0


def test_consistent_points_give_the_exact_pose() -> None:
    """Cells that see the right scene points at the right depths give the true pose."""
    torch.manual_seed(0)
    head = ScenePointHead(8, 2.0, RAYS)
    depths = torch.linspace(1.0, 4.0, 12)
    rotation = roma.rotvec_to_rotmat(torch.tensor([0.3, -0.8, 0.5]))
    position = torch.tensor([0.7, -1.2, 0.4])
    points = (depths[:, None] * RAYS.reshape(-1, 3)) @ rotation.T + position
    cells = torch.cat(
        [points / 2.0, (depths / 2.0).log()[:, None], torch.randn(12, 1)], dim=1
    )  # [N, 5], as the last layer gives them
    head.cells[-1].register_forward_hook(lambda *_: cells.T.reshape(1, 5, 3, 4))
    pose = head(torch.zeros(1, 8, 3, 4)).T_scene_cam[0]
    assert torch.allclose(pose[:3, :3], rotation, atol=1e-4)
    assert torch.allclose(pose[:3, 3], position, atol=1e-4)


def test_cells_that_are_wrong_hardly_move_the_pose() -> None:
    """A third of the cells, sure of themselves, see another place: they are outvoted."""
    torch.manual_seed(0)
    head = ScenePointHead(8, 2.0, RAYS)
    depths = torch.linspace(1.0, 4.0, 12)
    points = depths[:, None] * RAYS.reshape(-1, 3)
    points[::3] += torch.tensor([0.5, -0.4, 0.3])
    cells = torch.cat([points / 2.0, (depths / 2.0).log()[:, None], torch.zeros(12, 1)], dim=1)
    head.cells[-1].register_forward_hook(lambda *_: cells.T.reshape(1, 5, 3, 4))
    pose = head(torch.zeros(1, 8, 3, 4)).T_scene_cam[0]
    _, translation = roma.rigid_points_registration(depths[:, None] * RAYS.reshape(-1, 3), points)
    assert pose[:3, 3].norm() < 0.3 * translation.norm()
