"""What a step of APRNet's training minimises: the four losses (paper, equation 2) of its batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.aprnet.augmentation import add_noise, brighten, random_gains
from posemap_ros.aprnet.losses import image_loss
from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.supervision import Supervision
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE
from posemap_ros.recipe import AprRecipe
from posemap_ros.support.device import mixed_precision
from posemap_ros.support.distributed import share_of, world_size
from posemap_ros.training_phases import Phases


@dataclass(frozen=True)
class Batch:
    """The images of one step: P photos, V synthetic views, and the first R photos once more, as
    NeRF-P shows them from the same pose: their counterparts, which L_image compares them with.
    """

    images: Tensor  # [P + V + R, 3, H, W]
    photo: Tensor  # [P] which of all photos
    view: Tensor  # [V] which of all synthetic views
    pairs: int  # R

    @property
    def photos(self) -> slice:
        """Where they are among the images."""
        return slice(0, len(self.photo))

    @property
    def views(self) -> slice:
        """Where they are among the images."""
        return slice(len(self.photo), len(self.photo) + len(self.view))

    @property
    def paired(self) -> slice:
        """Where the photos are that have a counterpart."""
        return slice(0, self.pairs)

    @property
    def counterparts(self) -> slice:
        """Where they are among the images."""
        return slice(len(self.images) - self.pairs, len(self.images))


class Objective:
    """The losses of a training step by name; their sum is what it minimises (equation 2).

    Args:
        net: is trained.
        source: of photos, synthetic views and counterparts.
        phases: which photos, and views near them, are trained on in which step.
        recipe: of the batch and the losses.
        pose_error: L_pose, if not the recipe's with fixed weights.
    """

    def __init__(
        self,
        net: APRNet,
        source: ViewSource,
        phases: Phases,
        recipe: AprRecipe,
        pose_error: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self._net, self._source, self._phases, self._recipe = net, source, phases, recipe
        self._device = next(net.parameters()).device
        self._supervise = Supervision(source.nerf, net.camera, recipe, pose_error)
        self._cells = net.camera.height // POSEMAP_STRIDE, net.camera.width // POSEMAP_STRIDE
        self._photos_per_step = recipe.photos_per_step(world_size())
        self._photos = source.examples(source.photos)
        self._at_photos = source.at_photos() if recipe.loss.image > 0 else None

    def __call__(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Of the step with this index, whose random choices the generator makes."""
        recipe, weight = self._recipe, self._recipe.loss
        rendering = index >= recipe.rendering_losses_from * recipe.steps
        batch = self.draw(index, rendering, generator)
        with mixed_precision(self._device):
            taps, deep = self._net.backbone(batch.images)
        # Of the counterparts only where their poses are learned; else that part is empty.
        posed = slice(0, None if recipe.supervise_counterparts else batch.views.stop)
        predicted = self._net.pose(deep[posed].float())
        named = {
            'photos': self._supervise(
                predicted.part(batch.photos),
                self._photos,
                batch.photo,
                generator,
                rendering=rendering,
                counterparts=predicted.part(batch.counterparts).T_world_cam,
            )
        }
        if recipe.uses_views:
            named['views'] = weight.rvs * self._supervise(
                predicted.part(batch.views),
                self._source.synthetic(index),
                batch.view,
                generator,
                rendering=rendering,
                posemap_distance=recipe.rvs_posemap_distance,
            )
        if batch.pairs:
            named['features'] = weight.image * self._compare_features(taps, batch, generator)
        return named

    def draw(self, index: int, rendering: bool, generator: torch.Generator) -> Batch:
        """Choose the images of a step and change their brightness."""
        recipe, photos = self._recipe, self._photos_per_step
        frames = self._phases.frames(index)
        photo = frames[torch.randint(len(frames), (photos,), generator=generator)]
        images, view = [self._inputs(self._photos.views, photo)], photo.new_empty(0)
        if recipe.uses_views:
            views = self._source.synthetic(index).views
            count = share_of(recipe.batch) - photos
            near = self._source.views_near(frames)
            view = near[torch.randint(len(near), (count,), generator=generator)]
            images.append(self._inputs(views, view))
        gains = random_gains(
            photos + len(view), recipe.brightness_jitter, recipe.light_jitter, generator
        )
        inputs = brighten(torch.cat(images), gains)
        pairs = 0
        if self._at_photos is not None and rendering:
            pairs = min(recipe.image_loss_batch, photos)
            # A render has the exposure of its photo, and so it gets the same change: what L_image
            # then sees between the two is only what NeRF-P shows otherwise than a camera.
            renders = self._inputs(self._at_photos, photo[:pairs])
            inputs = torch.cat([inputs, brighten(renders, gains[:pairs])])
        inputs = add_noise(inputs, recipe.noise, generator)
        return Batch(inputs, photo, view, pairs)

    def _inputs(self, views: PosedViews, index: Tensor) -> Tensor:
        return network_input(views.images[index].to(self._device), self._net.camera)

    def _compare_features(
        self, taps: list[Tensor], batch: Batch, generator: torch.Generator
    ) -> Tensor:
        """L_image, in a random window."""
        window = random_window(self._cells, self._recipe.image_loss_window, generator)
        with mixed_precision(self._device):
            real, rendered = (
                self._net.features([tap[part] for tap in taps], window)
                for part in (batch.paired, batch.counterparts)
            )
        return image_loss(real, rendered, distance=self._recipe.triplet_distance)


def random_window(
    size: tuple[int, int], share: float, generator: torch.Generator
) -> tuple[float, float, float, float]:
    """A random part of an image whose sides are ``share`` of the image's.

    Args:
        size: height and width of the image in cells; the window begins and ends between them.

    Returns:
        top, left, height and width, as shares of the image's height and width.
    """
    corner, extent = [], []
    for cells in size:
        taken = max(1, round(share * cells))
        first = int(torch.randint(cells - taken + 1, (1,), generator=generator))
        corner.append(first / cells)
        extent.append(taken / cells)
    return (*corner, *extent)
