"""Rigid-body geometry on batches of poses.

A pose ``T_world_cam`` is a 4x4 matrix that takes points of the camera's optical frame (x right, y
down, z forward, metres) to the world. Every function takes any leading batch shape.

roma is imported where it is called: it takes longer than all of the localizer, which needs none of
these functions at run time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def project_to_so3(matrix: Tensor) -> Tensor:
    """Return the rotation nearest to ``matrix`` [..., 3, 3] in the Frobenius norm.

    The determinant is corrected: a plain SVD projection, as in DFNet, can return a reflection.
    """
    import roma

    return roma.special_procrustes(matrix)


def make_pose(rotation: Tensor, translation: Tensor) -> Tensor:
    """Assemble rotations [..., 3, 3] and translations [..., 3] into poses [..., 4, 4]."""
    top = torch.cat([rotation, translation[..., None]], dim=-1)
    # Without numbers from the host, for which a GPU would have to wait.
    bottom = torch.eye(4, dtype=top.dtype, device=top.device)[3:].expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def invert_pose(pose: Tensor) -> Tensor:
    """Invert rigid transforms [..., 4, 4]."""
    rotation = pose[..., :3, :3].transpose(-1, -2)
    translation = -(rotation @ pose[..., :3, 3:])[..., 0]
    return make_pose(rotation, translation)


def mean_pose(poses: Tensor) -> Tensor:
    """Return the mean [4, 4] of poses [N, 4, 4]: mean position, chordal mean of the rotations."""
    return make_pose(project_to_so3(poses[:, :3, :3].mean(0)), poses[:, :3, 3].mean(0))


def translation_error(pose_a: Tensor, pose_b: Tensor) -> Tensor:
    """Distance [...] between the origins of two poses [..., 4, 4], in metres."""
    return (pose_a[..., :3, 3] - pose_b[..., :3, 3]).norm(dim=-1)


def rotation_error_deg(pose_a: Tensor, pose_b: Tensor) -> Tensor:
    """Angle [...] between the rotations of two poses [..., 4, 4], in degrees, exact near 0 and
    180.
    """
    import roma

    angle = roma.rotmat_geodesic_distance(pose_a[..., :3, :3], pose_b[..., :3, :3])
    return torch.rad2deg(angle)


def perturb_poses(
    poses: Tensor, max_translation_m: float, max_rotation_deg: float, generator: torch.Generator
) -> Tensor:
    """Draw one random neighbour of each pose [N, 4, 4] (paper, section 4.1, "Pipeline settings").

    The camera moves by up to ``max_translation_m`` along each world axis and turns by up to
    ``max_rotation_deg`` about each of its own axes, both uniformly.
    """
    import roma

    shape = (poses.shape[0], 3)
    shift = (2 * torch.rand(shape, generator=generator) - 1) * max_translation_m
    angles = (2 * torch.rand(shape, generator=generator) - 1) * math.radians(max_rotation_deg)
    turn = roma.euler_to_rotmat('XYZ', angles.to(poses))
    return make_pose(poses[:, :3, :3] @ turn, poses[:, :3, 3] + shift.to(poses))
