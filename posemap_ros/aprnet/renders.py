"""Images and where they were taken. NeRF-P's are rendered once and kept: it does not change while
APRNet trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.support.files import atomic_write


class InvalidRenders(ValueError):
    """A file of views that cannot be read."""


@dataclass
class PosedViews:
    """Images and where they were taken, in main memory: photos, or views of NeRF-P."""

    images: Tensor  # [N, h, w, 3] uint8
    T_world_cam: Tensor  # [N, 4, 4]

    def __len__(self) -> int:
        return len(self.images)

    def part(self, index: slice | Tensor) -> PosedViews:
        """A run of the images, or those with these indices."""
        return PosedViews(self.images[index], self.T_world_cam[index])

    @classmethod
    def cat(cls, parts: list[PosedViews]) -> PosedViews:
        """Images of the same size, one after the other."""
        return cls(*(torch.cat(column) for column in zip(*(vars(p).values() for p in parts))))

    def save(self, path: Path) -> None:
        """Write to a safetensors file, atomically."""
        with atomic_write(path) as temporary:
            temporary.write_bytes(save({k: v.contiguous() for k, v in vars(self).items()}))

    @classmethod
    def load(cls, path: Path) -> PosedViews:
        """Read what `save` wrote.

        Raises:
            InvalidRenders: the file is damaged.
        """
        try:
            return cls(**load_file(path))
        except (SafetensorError, TypeError) as error:
            raise InvalidRenders(
                f'{path} is damaged ({error}): remove it, and it is rendered again'
            ) from error


@torch.no_grad()
def render_views(
    nerf: NeRFP,
    T_world_cam: Tensor,
    histograms: Tensor,
    camera: Camera,
    advance: Callable[[], object] = lambda: None,
) -> PosedViews:
    """Render poses [N, 4, 4] with exposures [N, 10]; ``advance`` is called after each view."""
    device = next(nerf.parameters()).device
    # Allocated at once: thousands of small results kept between large temporaries would
    # fragment the memory until it is many times what is needed.
    images = torch.empty(len(T_world_cam), camera.height, camera.width, 3, dtype=torch.uint8)
    for image, pose, histogram in zip(images, T_world_cam.to(device), histograms.to(device)):
        rgb = nerf.render_view(pose, camera, histogram).rgb
        image.copy_((rgb * 255.0).round().to(torch.uint8))
        advance()
    return PosedViews(images, T_world_cam.cpu())
