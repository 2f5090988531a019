"""Views of NeRF-P that APRNet is shown again, so that it stays at home in all of the map."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from posemap_ros.aprnet.renders import PosedViews, render_views
from posemap_ros.aprnet.viewpoints import draw_views
from posemap_ros.camera import Camera
from posemap_ros.nerf_p.exposure import HISTOGRAM_BINS, luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import ViewsRecipe

# Pixels of the shorter side; enough to see how bright a view is.
_EXPOSURE_SIDE = 24
_BATCH = 8  # views between two looks at the clock


class Rehearsal:
    """Renders views like those that APRNet was trained on.

    Args:
        nerf: frozen.
        camera: APRNet's input camera.
        recipe: how near to a pose a view of it is, and its size.
        generator: of their poses and exposures.
    """

    def __init__(
        self, nerf: NeRFP, camera: Camera, recipe: ViewsRecipe, generator: torch.Generator
    ) -> None:
        self._nerf, self._camera, self._recipe = nerf, camera, recipe
        self._generator = generator

    def views(
        self,
        T_world_cam: Tensor,
        histograms: Tensor | None = None,
        until: float = float('inf'),
    ) -> PosedViews:
        """One view near each of the poses [N, 4, 4], as far as time allows.

        Args:
            histograms: [n, 10], of which each view gets any as its exposure; by default it has
                that of the mapping photos.
            until: of time.monotonic(); after it no more are begun, but for the first few.
        """
        camera = self._camera.with_shorter_side(self._recipe.image_height)
        none = torch.empty(0, camera.height, camera.width, 3, dtype=torch.uint8)
        parts = [PosedViews(none, torch.empty(0, 4, 4))]
        for poses in T_world_cam.split(_BATCH):
            if len(parts) > 1 and time.monotonic() > until or not len(poses):
                break
            poses = draw_views(self._nerf, poses, self._recipe, self._camera, self._generator)
            if histograms is None:
                exposures = self.mapping_exposures(poses)
            else:
                drawn = torch.randint(len(histograms), (len(poses),), generator=self._generator)
                exposures = histograms[drawn]
            parts.append(render_views(self._nerf, poses, exposures, camera))
        return PosedViews.cat(parts)

    def mapping_exposures(self, T_world_cam: Tensor) -> Tensor:
        """The luma histograms [N, 10] that photos of the mapping drive would have at poses
        [N, 4, 4].

        The photos are not at hand. But a histogram says how bright a view shall be, and a view has
        a histogram: where both are the same, which takes one step from any, it is the photo's.
        """
        even = torch.full((len(T_world_cam), HISTOGRAM_BINS), 1.0 / HISTOGRAM_BINS)
        camera = self._camera.with_shorter_side(_EXPOSURE_SIDE)
        return luma_histogram(render_views(self._nerf, T_world_cam, even, camera).images)

    def in_mapping_light(self, photos: PosedViews) -> PosedViews:
        """Photos with the mean and the contrast of each colour that the mapping drive would have
        shown there.
        """
        poses, camera = photos.T_world_cam, self._camera.with_shorter_side(_EXPOSURE_SIDE)
        views = render_views(self._nerf, poses, self.mapping_exposures(poses), camera)
        then, now = (i.float().flatten(1, 2) for i in (views.images, photos.images))
        gain = then.std(1) / now.std(1).clamp_min(1.0)
        offset = then.mean(1) - gain * now.mean(1)
        images = gain[:, None, None] * photos.images + offset[:, None, None]
        return PosedViews(images.round().clamp(0, 255).to(torch.uint8), poses)
