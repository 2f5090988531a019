"""Where synthetic views (RVS, paper, section 3.1) are taken."""

from __future__ import annotations

import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.geometry import perturb_poses
from posemap_ros.nerf_p.nerf_p import NeRFP, PoseMap
from posemap_ros.recipe import ViewsRecipe

# A view counts as looking at the scene if it is this opaque on average, and if no more than this
# share of it is closer than twice the near plane: more than that, and the camera is inside
# something.
MIN_OPACITY = 0.8
MAX_SHARE_TOO_CLOSE = 0.3
_BLOCKED = 0.5  # opacity of a wall on the way
_TRIES = 5
# Looked from at once: bounds memory, costs no speed.
_POSES_AT_ONCE = 64


@torch.no_grad()
def draw_views(
    nerf: NeRFP,
    T_world_cam: Tensor,
    recipe: ViewsRecipe,
    grid_camera: Camera,
    generator: torch.Generator,
) -> Tensor:
    """Random neighbours [N, 4, 4] of poses [N, 4, 4] from which something can be seen.

    A neighbour that looks into the void or out of a solid, or lies behind a wall, is drawn again;
    after some tries the pose itself stands in.

    Args:
        recipe: how far away they may be.
        grid_camera: whose PoseMap is looked at.
    """
    device = next(nerf.parameters()).device
    reach = recipe.reach_m(nerf.scene.middle_m)
    drawn = T_world_cam.clone()
    left = torch.arange(len(drawn))
    for _ in range(_TRIES):
        candidates = perturb_poses(T_world_cam[left], reach, recipe.max_rotation_deg, generator)
        good = torch.empty(len(left), dtype=torch.bool)
        for part in torch.arange(len(left)).split(_POSES_AT_ONCE):
            here, there = T_world_cam[left[part]].to(device), candidates[part].to(device)
            shown = shows_scene(nerf.posemap(there, grid_camera), nerf.scene.near_m)
            good[part] = (shown & way_is_free(nerf, here[:, :3, 3], there[:, :3, 3])).cpu()
        drawn[left[good]] = candidates[good]
        left = left[~good]
        if len(left) == 0:
            break
    return drawn


def shows_scene(posemap: PoseMap, near_m: float) -> Tensor:
    """Which of B rendered grids look at the scene from free space: [B] bool."""
    too_close = (posemap.depth < 2.0 * near_m).float().mean(-1)
    return (posemap.opacity.mean(-1) > MIN_OPACITY) & (too_close < MAX_SHARE_TOO_CLOSE)


def way_is_free(nerf: NeRFP, start: Tensor, end: Tensor) -> Tensor:
    """Which of the straight ways between points [N, 3] and [N, 3] in the world no surface blocks:
    [N] bool.
    """
    step = end - start
    length = step.norm(dim=-1, keepdim=True)
    samples = nerf.sample(start, step / length.clamp_min(1e-9))
    return (samples.weights * (samples.depths < length)).sum(-1) < _BLOCKED
