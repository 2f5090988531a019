"""Rigid-body geometry against hand-computed values, naive references and invariants."""

import math

import pytest
import torch
from torch import Tensor

from posemap_ros.geometry import (
    invert_pose,
    make_pose,
    mean_pose,
    perturb_poses,
    project_to_so3,
    rotation_error_deg,
    translation_error,
)


def rotation_z(degrees: float) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def random_poses(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    rotation = project_to_so3(torch.randn(count, 3, 3, generator=generator))
    return make_pose(rotation, torch.randn(count, 3, generator=generator))


def test_projection_gives_rotations_even_for_reflections() -> None:
    matrices = torch.randn(64, 3, 3, generator=torch.Generator().manual_seed(0))
    assert (torch.det(matrices) < 0).any()
    rotations = project_to_so3(matrices)
    assert torch.allclose(torch.det(rotations), torch.ones(64), atol=1e-5)
    assert torch.allclose(rotations @ rotations.mT, torch.eye(3).expand(64, 3, 3), atol=1e-5)


def test_projection_is_the_nearest_rotation() -> None:
    """No rotation of a dense sample is nearer than the projection."""
    matrix = torch.tensor([[1.2, -0.3, 0.1], [0.2, 0.7, -0.4], [0.0, 0.5, -0.9]])
    nearest = (project_to_so3(matrix) - matrix).norm()
    sample = project_to_so3(torch.randn(4000, 3, 3, generator=torch.Generator().manual_seed(1)))
    assert nearest <= (sample - matrix).flatten(1).norm(dim=1).min()


def test_projection_keeps_rotations() -> None:
    assert torch.allclose(project_to_so3(rotation_z(70.0)), rotation_z(70.0), atol=1e-6)


def test_inverse_undoes() -> None:
    poses = random_poses(10)
    assert torch.allclose(poses @ invert_pose(poses), torch.eye(4).expand(10, 4, 4), atol=1e-5)


@pytest.mark.parametrize('degrees', [0.0, 0.5, 30.0, 90.0, 179.0, 180.0])
def test_errors_of_a_known_motion(degrees: float) -> None:
    a = make_pose(torch.eye(3), torch.tensor([1.0, 2.0, 3.0]))
    b = make_pose(rotation_z(degrees), torch.tensor([1.0, 5.0, 7.0]))
    assert translation_error(a, b).item() == pytest.approx(5.0)
    assert rotation_error_deg(a, b).item() == pytest.approx(degrees, abs=0.05)


def test_mean_of_opposite_turns_is_in_the_middle() -> None:
    poses = make_pose(
        torch.stack([rotation_z(-40.0), rotation_z(40.0)]),
        torch.tensor([[0.0, 0.0, 0.0], [2.0, 4.0, 6.0]]),
    )
    expected = make_pose(torch.eye(3), torch.tensor([1.0, 2.0, 3.0]))
    assert torch.allclose(mean_pose(poses), expected, atol=1e-6)


def test_perturbations_fill_their_box_and_stay_in_it() -> None:
    poses = random_poses(1).expand(500, 4, 4)
    moved = perturb_poses(poses, 0.2, 10.0, torch.Generator().manual_seed(0))
    shift = (moved - poses)[:, :3, 3].abs()
    assert shift.max() <= 0.2 and shift.amax(0).min() > 0.19
    # Three turns of at most 10 degrees each.
    turn = rotation_error_deg(poses, moved)
    assert turn.max() <= 30.0 and 12.0 < turn.max()
    assert torch.allclose(torch.det(moved[:, :3, :3]), torch.ones(500), atol=1e-4)
    again = perturb_poses(poses, 0.2, 10.0, torch.Generator().manual_seed(0))
    assert torch.equal(moved, again)
