"""A training step of APRNet: which images it looks at."""

from dataclasses import replace
from pathlib import Path

import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.aprnet.network import network_input
from posemap_ros.aprnet.objective import Objective
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
BASE = replace(RECIPE.aprnet, steps=STEPS, batch=8, image_loss_batch=3, rendering_losses_from=0.0)
PHASES = Phases(torch.arange(4), torch.arange(4, 8), everything_from=8)


class FaithfulSource(ViewSource):
    """NeRF-P that shows each photo as it is."""

    def at_photos(self) -> PosedViews:
        return self.photos


def objective(environment: Path, folder: Path, recipe: AprRecipe) -> Objective:
    loaded = Environment.load(environment)
    source = FaithfulSource(loaded.load_nerf_p(), PHOTOS, CAMERA, recipe.views, 0, folder)
    return Objective(loaded.load_aprnet(), source, PHASES, recipe)


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def places(poses: torch.Tensor, among: torch.Tensor) -> list[int]:
    """Which of the poses [N, 4, 4] these [B, 4, 4] are."""
    return [int((among - pose).abs().amax((1, 2)).argmin()) for pose in poses]


def test_a_batch_is_photos_then_views_then_counterparts(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, brightness_jitter=0.0)
    batch = objective(pristine_environment, tmp_path, recipe).draw(0, dice())
    assert len(batch.images) == 4 + 4 + 3
    photo = places(batch.known.T_world_cam, POSES)
    photos = network_input(PHOTOS.images[photo], CAMERA)
    assert torch.equal(batch.images[batch.photos], photos)
    assert torch.equal(batch.images[batch.counterparts], photos[:3])
    views = PosedViews.load(tmp_path / 'views_000.safetensors')
    view = places(batch.known_of_views.T_world_cam, views.T_world_cam)
    assert torch.equal(batch.images[batch.views], network_input(views.images[view], CAMERA))
    early = replace(recipe, rendering_losses_from=0.5)
    without = objective(pristine_environment, tmp_path, early).draw(4, dice())
    assert len(without.images) == 8 and without.window is None


def test_what_is_known_is_of_the_images(pristine_environment: Path, tmp_path: Path) -> None:
    made = objective(pristine_environment, tmp_path, BASE)
    known = made.draw(0, dice()).known
    rendered = made._source.nerf.posemap(known.T_world_cam, CAMERA)
    assert torch.allclose(known.depth, rendered.depth, atol=1e-5)
    true = rendered.features[:, known.posemap.cells]
    assert torch.allclose(known.posemap.features, true, atol=1e-5)


def test_losses_are_a_function_of_the_batch_alone(
    pristine_environment: Path, tmp_path: Path
) -> None:
    made = objective(pristine_environment, tmp_path, BASE)
    batch = made.draw(0, dice())
    first = made.losses(batch)
    torch.manual_seed(7)
    again = made.losses(batch)
    assert set(first) == {'photos', 'views', 'features'}
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_frames_held_out_are_not_seen_before_their_time_nor_are_views_near_them(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, batch=300, views=replace(BASE.views, per_frame=2))
    made = objective(pristine_environment, tmp_path, recipe)
    early, late = (made.draw(step, dice()) for step in (7, 8))
    views = PosedViews.load(tmp_path / 'views_000.safetensors').T_world_cam
    assert set(places(early.known.T_world_cam, POSES)) == {0, 1, 2, 3}
    # The second view near a photo comes as many places after its first as there are photos.
    near = set(places(early.known_of_views.T_world_cam, views))
    assert near == {0, 1, 2, 3, 8, 9, 10, 11}
    assert set(places(late.known.T_world_cam, POSES)) == set(range(8))
    assert set(places(late.known_of_views.T_world_cam, views)) == set(range(16))


def test_a_photo_and_its_render_are_brightened_alike(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, brightness_jitter=0.3, light_jitter=0.3)
    batch = objective(pristine_environment, tmp_path, recipe).draw(0, dice())
    photos = batch.images[batch.paired]
    photo = places(batch.known.T_world_cam[:3], POSES)
    assert not torch.equal(photos, network_input(PHOTOS.images[photo], CAMERA))
    assert torch.equal(photos, batch.images[batch.counterparts])


def test_images_that_are_turned_show_what_is_known_of_them(
    pristine_environment: Path, tmp_path: Path
) -> None:
    recipe = replace(BASE, brightness_jitter=0.0, turned=1.0, turn_deg=20.0)
    made = objective(pristine_environment, tmp_path, recipe)
    batch = made.draw(0, dice())
    for image, pose, depth in zip(batch.images, batch.known.T_world_cam, batch.known.depth):
        assert (POSES - pose).abs().amax((1, 2)).min() > 0.01
        shown = image.permute(1, 2, 0) > 0
        photo = torch.from_numpy(photograph(pose.double().numpy())) / 255.0
        assert ((image.permute(1, 2, 0) - photo).abs() * shown).quantile(0.9) < 0.02
        # The middles of the cells, where four pixels meet.
        black = ~shown.all(-1)[8::16, 8::16].flatten()
        assert not torch.isfinite(depth[black]).any() and torch.isfinite(depth).any()
    assert torch.equal(batch.images[batch.paired], batch.images[batch.counterparts])
    assert all(torch.isfinite(loss) for loss in made.losses(batch).values())
