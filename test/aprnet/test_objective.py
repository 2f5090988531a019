"""A training step of APRNet: which images it looks at."""

from dataclasses import replace
from pathlib import Path

import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.aprnet.network import network_input
from posemap_ros.aprnet.objective import Batch, Objective
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.environment import Environment
from posemap_ros.recipe import AprRecipe
from posemap_ros.training_phases import Phases

POSES = torch.from_numpy(circle_of_poses(8)).float()
PHOTOS = PosedViews(
    torch.stack([torch.from_numpy(photograph(p.double().numpy())) for p in POSES]), POSES
)
STEPS = 10
# Of eight images four are photos, and three of these have a counterpart.
BASE = replace(RECIPE.aprnet, steps=STEPS, batch=8, image_loss_batch=3)
PHASES = Phases(torch.arange(4), torch.arange(4, 8), everything_from=8)


class FaithfulSource(ViewSource):
    """NeRF-P that shows each photo as it is."""

    def at_photos(self) -> PosedViews:
        return self.photos


def draw(
    environment: Path, folder: Path, recipe: AprRecipe, *, rendering: bool = True, step: int = 0
) -> Batch:
    loaded = Environment.load(environment)
    source = FaithfulSource(loaded.load_nerf_p(), PHOTOS, CAMERA, recipe, 0, folder)
    objective = Objective(loaded.load_aprnet(), source, PHASES, recipe)
    return objective.draw(step, rendering, torch.Generator().manual_seed(1))


def test_a_batch_is_photos_then_views_then_counterparts(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, brightness_jitter=0.0)
    batch = draw(pristine_environment, tmp_path, recipe)
    assert len(batch.images) == 4 + 4 + 3
    photos = network_input(PHOTOS.images[batch.photo], CAMERA)
    assert torch.equal(batch.images[batch.photos], photos)
    assert torch.equal(batch.images[batch.counterparts], photos[:3])
    views = PosedViews.load(tmp_path / 'views_000.safetensors').images[batch.view]
    assert torch.equal(batch.images[batch.views], network_input(views, CAMERA))
    assert len(draw(pristine_environment, tmp_path, recipe, rendering=False).images) == 8


def test_frames_held_out_are_not_seen_before_their_time_nor_are_views_near_them(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, batch=300, views=replace(BASE.views, per_frame=2))
    early = draw(pristine_environment, tmp_path, recipe, step=7)
    assert set(early.photo.tolist()) == {0, 1, 2, 3}
    # The second view near a photo comes as many places after its first as there are photos.
    assert set(early.view.tolist()) == {0, 1, 2, 3, 8, 9, 10, 11}
    late = draw(pristine_environment, tmp_path, recipe, step=8)
    assert set(late.photo.tolist()) == set(range(8))
    assert set(late.view.tolist()) == set(range(16))


def test_a_photo_and_its_render_are_brightened_alike(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, brightness_jitter=0.3, light_jitter=0.3)
    batch = draw(pristine_environment, tmp_path, recipe)
    photos = batch.images[batch.paired]
    assert not torch.equal(photos, network_input(PHOTOS.images[batch.photo[:3]], CAMERA))
    assert torch.equal(photos, batch.images[batch.counterparts])
