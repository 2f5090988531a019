"""Rays through random pixels of photos, which a field is fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.stereo.photo_depths import PhotoDepths


@dataclass
class Rays:
    """R rays, and what photos show along them."""

    origins: Tensor  # [R, 3] camera centres in the world, metres
    directions: Tensor  # [R, 3] in the world, of unit length along the optical axis: depth is z
    histogram: Tensor  # [R, 10] luma histogram of each ray's photo
    rgb: Tensor  # [R, 3] in [0, 1]
    depth: Tensor  # [R] metres along the optical axis; 0 where unknown
    depth_sigma: Tensor  # [R] its standard deviation, metres


class PhotoRays:
    """Photos to draw rays from.

    Args:
        images: [N, h, w, 3] uint8.
        shown: [N, h, w] bool: which pixels the lens saw; the others, black, are no data.
        depths: of the same pixels.
        T_world_cam: [N, 4, 4].
        camera: of the images, without distortion.
        device: where rays are wanted.
    """

    def __init__(
        self,
        images: Tensor,
        shown: Tensor,
        depths: PhotoDepths,
        T_world_cam: Tensor,
        camera: Camera,
        device: torch.device,
    ) -> None:
        self.images, self.camera = images, camera
        self._poses = T_world_cam.to(device)
        self._in_camera = camera.rays().reshape(-1, 3).to(device)
        self._histograms = luma_histogram(images).to(device)
        pixels = images, shown, depths.depth, depths.sigma
        self._pixels, self._shown, self._depths, self._sigmas = (
            part.flatten(1, 2).to(device) for part in pixels
        )

    def draw(self, photos: Tensor, count: int, generator: torch.Generator) -> Rays:
        """``count`` rays of the photos with these indices, less those that see nothing."""
        device = self._poses.device
        drawn = torch.randint(len(photos), (count,), generator=generator)
        photo = photos[drawn].to(device)
        pixel = torch.randint(len(self._in_camera), (count,), generator=generator).to(device)
        seen = self._shown[photo, pixel]
        photo, pixel = photo[seen], pixel[seen]
        pose = self._poses[photo]
        return Rays(
            pose[:, :3, 3],
            (pose[:, :3, :3] @ self._in_camera[pixel][:, :, None])[..., 0],
            self._histograms[photo],
            self._pixels[photo, pixel].float() / 255.0,
            self._depths[photo, pixel],
            self._sigmas[photo, pixel],
        )

    def pose_and_histogram(self, photo: int) -> tuple[Tensor, Tensor]:
        """Pose [4, 4] and luma histogram [10] of a photo."""
        return self._poses[photo], self._histograms[photo]

    def depth_of(self, photo: int) -> Tensor:
        """The depths [h, w] that were measured in a photo, metres; 0 where unknown."""
        return self._depths[photo].reshape(self.camera.height, self.camera.width)
