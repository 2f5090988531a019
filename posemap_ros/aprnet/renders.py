"""What NeRF-P shows at fixed poses, rendered once and kept: it does not change while APRNet
trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.files import atomic_write
from posemap_ros.geometry import perturb_poses
from posemap_ros.nerf_p.nerf_p import NeRFP, PoseMap
from posemap_ros.nerf_p.pose_branch import POSEMAP_CHANNELS, POSEMAP_STRIDE

# A view counts as looking at the scene if it is this opaque on average, and if no more than this
# share of it is closer than twice the near plane: more than that, and the camera is inside
# something.
MIN_OPACITY = 0.8
MAX_SHARE_TOO_CLOSE = 0.3


@dataclass
class Renders:
    """Views and PoseMaps at N poses, in main memory."""

    T_world_cam: Tensor  # [N, 4, 4]
    rgb: Tensor  # [N, h, w, 3] uint8
    posemap: Tensor  # [N, cells, 256] float16
    opacity: Tensor  # [N, cells] float16
    depth: Tensor  # [N, cells] float32, metres

    def __len__(self) -> int:
        return len(self.T_world_cam)

    def save(self, path: Path) -> None:
        """Write to a safetensors file, atomically."""
        with atomic_write(path) as temporary:
            temporary.write_bytes(
                save({f.name: getattr(self, f.name).contiguous() for f in fields(self)})
            )

    @classmethod
    def load(cls, path: Path) -> Renders:
        """Read what `save` wrote."""
        return cls(**load_file(path))


@torch.no_grad()
def render_poses(
    nerf: NeRFP,
    T_world_cam: Tensor,
    histograms: Tensor,
    view_camera: Camera,
    grid_camera: Camera,
    advance: Callable[[], object] = lambda: None,
) -> Renders:
    """Render poses [N, 4, 4] with exposures [N, 10]: views with one camera, PoseMaps on the grid
    of another.

    ``advance`` is called after each view.
    """
    device = next(nerf.parameters()).device
    count, cells = len(T_world_cam), len(grid_camera.rays(stride=POSEMAP_STRIDE).flatten(0, 1))
    # Allocated at once: thousands of small results kept between large temporaries would
    # fragment the memory until it is many times what is needed.
    renders = Renders(
        T_world_cam.cpu(),
        torch.empty(count, view_camera.height, view_camera.width, 3, dtype=torch.uint8),
        torch.empty(count, cells, POSEMAP_CHANNELS, dtype=torch.float16),
        torch.empty(count, cells, dtype=torch.float16),
        torch.empty(count, cells),
    )
    for i, (pose, histogram) in enumerate(zip(T_world_cam.to(device), histograms.to(device))):
        rgb = nerf.render_view(pose, view_camera, histogram).rgb
        renders.rgb[i] = (rgb * 255.0).round().to(torch.uint8)
        posemap = nerf.posemap(pose[None], grid_camera)
        renders.posemap[i] = posemap.features[0]
        renders.opacity[i] = posemap.opacity[0]
        renders.depth[i] = posemap.depth[0]
        advance()
    return renders


@torch.no_grad()
def draw_views(
    nerf: NeRFP,
    T_world_cam: Tensor,
    max_translation_m: float,
    max_rotation_deg: float,
    grid_camera: Camera,
    generator: torch.Generator,
    tries: int = 5,
) -> Tensor:
    """Random neighbours [N, 4, 4] of poses [N, 4, 4] from which something can be seen (RVS,
    section 3.1).

    A neighbour that looks into the void or out of a solid is drawn again; after some tries the
    pose itself stands in.
    """
    device = next(nerf.parameters()).device
    drawn = T_world_cam.clone()
    left = torch.arange(len(drawn))
    for _ in range(tries):
        candidates = perturb_poses(
            T_world_cam[left], max_translation_m, max_rotation_deg, generator
        )
        good = torch.cat(
            [
                shows_scene(nerf.posemap(part.to(device), grid_camera), nerf.scene.near_m).cpu()
                for part in candidates.split(64)
            ]
        )
        drawn[left[good]] = candidates[good]
        left = left[~good]
        if len(left) == 0:
            break
    return drawn


def shows_scene(posemap: PoseMap, near_m: float) -> Tensor:
    """Which of B rendered grids look at the scene from free space: [B] bool."""
    too_close = (posemap.depth < 2.0 * near_m).float().mean(-1)
    return (posemap.opacity.mean(-1) > MIN_OPACITY) & (too_close < MAX_SHARE_TOO_CLOSE)
