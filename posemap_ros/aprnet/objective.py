"""What a step of APRNet's training minimises: the four losses (paper, equation 2) of its batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.aprnet.augmentation import add_noise, brighten, random_gains
from posemap_ros.aprnet.known import Known, know
from posemap_ros.aprnet.losses import image_loss
from posemap_ros.aprnet.network import APRNet, Window, network_input
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.supervision import Supervision
from posemap_ros.aprnet.turning import random_turns, turn_images
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.nerf_p.pose_branch import grid_size
from posemap_ros.recipe import AprRecipe
from posemap_ros.support.device import mixed_precision
from posemap_ros.support.distributed import share_of, world_size
from posemap_ros.training_phases import Phases


@dataclass(frozen=True)
class Batch:
    """The images of one step, on the network's device: P photos, V synthetic views, and the first
    R photos once more, as NeRF-P shows them from the same pose: their counterparts, which L_image
    compares them with.
    """

    images: Tensor  # [P + V + R, 3, H, W]
    known: Known  # of the photos
    known_of_views: Known | None
    window: Window | None  # in which L_image compares; None: there are no counterparts

    @property
    def photos(self) -> slice:
        """Where they are among the images."""
        return slice(0, len(self.known.T_world_cam))

    @property
    def views(self) -> slice:
        """Where they are among the images."""
        views = 0 if self.known_of_views is None else len(self.known_of_views.T_world_cam)
        return slice(self.photos.stop, self.photos.stop + views)

    @property
    def paired(self) -> slice:
        """Where the photos are that have a counterpart."""
        return slice(0, len(self.images) - self.views.stop)

    @property
    def counterparts(self) -> slice:
        """Where they are among the images."""
        return slice(self.views.stop, len(self.images))


class Objective:
    """Draws the batch of a training step, and says its losses by name, whose sum is what the step
    minimises (equation 2).

    All that is random, and all that comes from main memory, is in the batch: the losses are a
    function of it alone, which a GPU can record and replay.

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
        self._cells = grid_size(net.camera)
        self._photos_per_step = recipe.photos_per_step(world_size())
        self._at_photos = source.at_photos() if recipe.loss.image > 0 else None

    def draw(self, index: int, generator: torch.Generator) -> Batch:
        """The batch of the step with this index, whose random choices the generator makes."""
        recipe, source = self._recipe, self._source
        rendering = index >= recipe.rendering_losses_from * recipe.steps
        count = self._photos_per_step
        frames = self._phases.frames(index)
        photo = frames[torch.randint(len(frames), (count,), generator=generator)]
        turns = self._turns(count, generator)
        images, known_of_views = [self._turned(source.photos, photo, turns)], None
        known = self._know(source.photos, photo, turns, rendering, generator)
        if recipe.uses_views:
            synthetic, near = source.synthetic(index), source.views_near(frames)
            views = share_of(recipe.batch) - count
            view = near[torch.randint(len(near), (views,), generator=generator)]
            turns_of_views = self._turns(views, generator)
            images.append(self._turned(synthetic, view, turns_of_views))
            known_of_views = self._know(synthetic, view, turns_of_views, rendering, generator)
        inputs = torch.cat(images)
        gains = random_gains(len(inputs), recipe.brightness_jitter, recipe.light_jitter, generator)
        inputs, window = brighten(inputs, gains), None
        if self._at_photos is not None and rendering:
            pairs = slice(0, min(recipe.image_loss_batch, count))
            # A render has the exposure of its photo, and so it gets the same change, and the same
            # turn: what L_image then sees between the two is only what NeRF-P shows otherwise than
            # a camera.
            renders = self._turned(self._at_photos, photo[pairs], turns[pairs])
            inputs = torch.cat([inputs, brighten(renders, gains[pairs])])
            window = Window.draw(self._cells, recipe.image_loss_window, generator, self._device)
        return Batch(add_noise(inputs, recipe.noise, generator), known, known_of_views, window)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Of photos, views and features; the weights of the recipe are in them."""
        recipe, weight = self._recipe, self._recipe.loss
        with mixed_precision(self._device):
            taps, deep = self._net.backbone(batch.images)
        # Of the counterparts only where their poses are learned; else that part is empty.
        posed = slice(0, None if recipe.supervise_counterparts else batch.views.stop)
        predicted = self._net.pose(deep[posed].float())
        named = {
            'photos': self._supervise(
                predicted.part(batch.photos),
                batch.known,
                counterparts=predicted.part(batch.counterparts).T_world_cam,
            )
        }
        if batch.known_of_views is not None:
            named['views'] = weight.rvs * self._supervise(
                predicted.part(batch.views),
                batch.known_of_views,
                posemap_distance=recipe.rvs_posemap_distance,
            )
        if batch.window is not None:
            named['features'] = weight.image * self._compare_features(taps, batch)
        return named

    def _turns(self, count: int, generator: torch.Generator) -> Tensor:
        turns = random_turns(count, self._recipe.turned, self._recipe.turn_deg, generator)
        return turns.to(self._device)

    def _turned(self, views: PosedViews, chosen: Tensor, turns: Tensor) -> Tensor:
        """Images with these indices as APRNet takes them, after these turns."""
        images = network_input(views.images[chosen].to(self._device), self._net.camera)
        return turn_images(images, turns, self._net.camera) if self._recipe.turned else images

    def _know(
        self,
        views: PosedViews,
        chosen: Tensor,
        turns: Tensor,
        rendering: bool,
        generator: torch.Generator,
    ) -> Known:
        """What is known of images after these turns, with their PoseMaps on random cells if they
        are compared.
        """
        recipe, cells = self._recipe, None
        if rendering and recipe.loss.posemap > 0:
            cells = torch.randperm(self._cells[0] * self._cells[1], generator=generator)
            cells = cells[: recipe.posemap_cells].to(self._device)
        return know(
            self._source.nerf,
            views.T_world_cam[chosen].to(self._device),
            turns,
            self._net.camera,
            depth=recipe.loss.points > 0,
            cells=cells,
            features=recipe.posemap_features,
        )

    def _compare_features(self, taps: list[Tensor], batch: Batch) -> Tensor:
        """L_image, in the window."""
        with mixed_precision(self._device):
            real, rendered = (
                self._net.features([tap[part] for tap in taps], batch.window)
                for part in (batch.paired, batch.counterparts)
            )
        return image_loss(real, rendered, distance=self._recipe.triplet_distance)
