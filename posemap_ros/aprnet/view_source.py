"""Where APRNet's training takes NeRF-P's views from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from posemap_ros.aprnet.renders import PosedViews, render_views
from posemap_ros.aprnet.viewpoints import draw_views
from posemap_ros.camera import Camera
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import ViewsRecipe
from posemap_ros.support.distributed import is_first, wait_for_all
from posemap_ros.support.progress import progress_bar


class ViewSource:
    """Renders of NeRF-P for one training: those at the photos' poses, and synthetic ones near
    them, drawn anew every so many steps. What is rendered is kept in a folder for the next run.

    Args:
        nerf: frozen.
        photos: that APRNet is trained on.
        grid_camera: APRNet's input camera.
        recipe: of the views.
        seed: of the poses that are drawn.
        folder: where the renders are kept.
    """

    def __init__(
        self,
        nerf: NeRFP,
        photos: PosedViews,
        grid_camera: Camera,
        recipe: ViewsRecipe,
        seed: int,
        folder: Path,
    ) -> None:
        self.nerf, self.photos, self.recipe = nerf, photos, recipe
        self.grid_camera, self.seed, self.folder = grid_camera, seed, folder
        self.camera = grid_camera.with_shorter_side(recipe.image_height)
        self.histograms = luma_histogram(photos.images)
        self._round = -1
        self._synthetic: PosedViews

    def at_photos(self) -> PosedViews:
        """What NeRF-P shows where the photos were taken, in their exposure."""
        return self._kept('photos', lambda: (self.photos.T_world_cam, self.histograms))

    def synthetic(self, step: int) -> PosedViews:
        """The synthetic views (RVS) that are trained on in a step."""
        redraw = self.recipe.redraw_steps
        number = step // redraw if redraw else 0
        if number != self._round:
            self._synthetic = self._kept(f'views_{number:03d}', lambda: self._draw(number))
            self._round = number
            # Only the round in use is kept: there can be hundreds.
            if is_first():
                (self.folder / f'views_{number - 1:03d}.safetensors').unlink(missing_ok=True)
        return self._synthetic

    def views_near(self, photos: Tensor) -> Tensor:
        """Indices of the synthetic views that were drawn near the photos with these indices."""
        rounds = torch.arange(self.recipe.each(len(self.photos)))[:, None]
        return (photos + rounds * len(self.photos)).flatten()

    def _draw(self, number: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 7919 + number)
        poses = draw_views(
            self.nerf,
            self.photos.T_world_cam.repeat(self.recipe.each(len(self.photos)), 1, 1),
            self.recipe,
            self.grid_camera,
            generator,
        )
        # Any photo's exposure, so that the pose cannot be told from it.
        chosen = torch.randint(len(self.histograms), (len(poses),), generator=generator)
        return poses, self.histograms[chosen]

    def _kept(self, name: str, draw: Callable[[], tuple[Tensor, Tensor]]) -> PosedViews:
        path = self.folder / f'{name}.safetensors'
        if is_first() and not path.exists():
            poses, histograms = draw()
            with progress_bar(None, f'rendering {name}', len(poses), 'view') as bar:
                render_views(self.nerf, poses, histograms, self.camera, bar.update).save(path)
        wait_for_all()
        return PosedViews.load(path)
