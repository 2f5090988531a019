"""NeRF-P: what it renders, where its gradients go, and that it learns a scene that is known."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.camera import Camera
from posemap_ros.environment import make_nerf_p
from posemap_ros.nerf_p import exposure
from posemap_ros.nerf_p.exposure import AffineExposure, luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP, view_rays
from posemap_ros.nerf_p.photo_rays import PhotoRays
from posemap_ros.nerf_p.pose_branch import PoseBranch
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.nerf_p.trainer import depth_off, train_pose_branch, train_render_branch
from posemap_ros.recipe import MlpRecipe, NerfRecipe
from posemap_ros.stereo.photo_depths import PhotoDepths
from posemap_ros.training_phases import Phases

POSES = torch.from_numpy(circle_of_poses(30)).float()
HISTOGRAM = torch.full((10,), 0.1)


MLP = replace(
    RECIPE.nerf_p,
    field='mlp',
    appearance='percent_embedding',
    mlp=MlpRecipe(layers=3, width=32, transient=False),
)


@pytest.fixture(params=[RECIPE.nerf_p, MLP], ids=['grid', 'mlp'])
def recipe(request: pytest.FixtureRequest) -> NerfRecipe:
    return request.param


@pytest.fixture
def nerf(recipe: NerfRecipe) -> NeRFP:
    torch.manual_seed(0)
    model = make_nerf_p(SceneFrame.from_poses(POSES), recipe)
    with torch.no_grad():  # something to see, rather than thin fog
        if recipe.field == 'grid':
            layers = (model.field.trunk[-1], model.proposal.density[-1])
        else:
            layers = (model.field.density, model.coarse.density)
        for layer in layers:
            layer.weight.mul_(8.0)
    return model


def rays_of(
    images: torch.Tensor, poses: torch.Tensor, camera: Camera, depths: PhotoDepths | None = None
) -> PhotoRays:
    depths = depths or PhotoDepths.unknown(len(images), camera)
    shown = torch.ones(images.shape[:3], dtype=torch.bool)
    return PhotoRays(images, shown, depths, poses, camera, torch.device('cpu'))


def test_rays_leave_through_their_pixels() -> None:
    """Points along each ray project back to the centre of the ray's pixel."""
    origins, directions = view_rays(POSES[3], CAMERA)
    points = (origins + 2.5 * directions - POSES[3, :3, 3]) @ POSES[3, :3, :3]
    found = CAMERA.project(points.double().numpy()).reshape(CAMERA.height, CAMERA.width, 2)
    assert found[5, 11] == pytest.approx((11.5, 5.5), abs=1e-3)
    assert found[-1, -1] == pytest.approx((CAMERA.width - 0.5, CAMERA.height - 0.5), abs=1e-3)


def test_a_view_is_the_same_in_chunks_and_whole(nerf: NeRFP, monkeypatch) -> None:
    small = CAMERA.resized(16, 12)
    whole = nerf.render_view(POSES[0], small, HISTOGRAM)
    monkeypatch.setattr(type(nerf), 'chunk_rays', 50)
    with torch.no_grad():
        chunked = nerf.render_view(POSES[0], small, HISTOGRAM)
    assert torch.allclose(whole.rgb, chunked.rgb, atol=1e-5)
    assert torch.allclose(whole.depth, chunked.depth, atol=1e-4)


def test_weights_of_a_ray_sum_to_at_most_one(nerf: NeRFP) -> None:
    origins, directions = view_rays(POSES[0], CAMERA.resized(8, 6))
    samples = nerf.sample(origins, directions)
    assert samples.weights.min() >= 0 and samples.weights.sum(-1).max() <= 1 + 1e-5
    assert (samples.depths.diff(dim=-1) >= 0).all()
    assert samples.depths.min() >= nerf.scene.near_m * 0.99


def test_posemap_cells_are_the_strided_pixels(nerf: NeRFP) -> None:
    """The PoseMap at stride 16 is a camera of a sixteenth of the size; cells pick from it."""
    grid = nerf.posemap(POSES[:2], CAMERA)
    assert grid.features.shape == (2, 12, 256) and grid.opacity.shape == (2, 12)
    tiny = Camera(4, 3, CAMERA.fx / 16, CAMERA.fy / 16, CAMERA.cx / 16, CAMERA.cy / 16)
    samples = nerf.sample(*view_rays(POSES[1], tiny))
    again = nerf.pose_features(samples, view_rays(POSES[1], tiny)[1])
    assert torch.allclose(grid.features[1], again, atol=1e-4)
    some = nerf.posemap(POSES[:2], CAMERA, torch.tensor([7, 2]))
    assert torch.allclose(some.features, grid.features[:, [7, 2]], atol=1e-5)
    assert torch.allclose(nerf.grid_depth(POSES[:2], CAMERA), grid.depth, rtol=1e-5)


def test_a_nerfmap_renders_the_fields_own_feature(nerf: NeRFP) -> None:
    grid = nerf.posemap(POSES[:1], CAMERA, features='trunk')
    tiny = Camera(4, 3, CAMERA.fx / 16, CAMERA.fy / 16, CAMERA.cx / 16, CAMERA.cy / 16)
    samples = nerf.sample(*view_rays(POSES[0], tiny))
    expected = (samples.weights[..., None] * nerf.field.feature(samples.hidden)).sum(1)
    assert grid.features.shape == (1, 12, nerf.field.feature_width)
    assert torch.allclose(grid.features[0], expected, atol=1e-4)


@pytest.mark.parametrize('sees', [False, True])
def test_the_pose_branch_sees_the_direction_only_if_asked_to(
    recipe: NerfRecipe, sees: bool
) -> None:
    torch.manual_seed(0)
    recipe = replace(recipe, pose_branch_sees_direction=sees)
    nerf = make_nerf_p(SceneFrame.from_poses(POSES), recipe)
    origins, directions = view_rays(POSES[0], CAMERA.resized(8, 6))
    samples = nerf.sample(origins, directions)
    features = nerf.pose_features(samples, directions)
    assert features.shape == (48, 256)
    assert torch.equal(features, nerf.pose_features(samples, -directions)) is not sees


@pytest.mark.parametrize('appearance', ['affine', 'percent_embedding'])
def test_appearance_comes_from_the_histogram(recipe: NerfRecipe, appearance: str) -> None:
    """Both forms change the colours, with the histogram and with nothing else."""
    torch.manual_seed(0)
    nerf = make_nerf_p(SceneFrame.from_poses(POSES), replace(recipe, appearance=appearance))
    if appearance == 'affine':  # it starts as the identity
        torch.nn.init.normal_(nerf.exposure.mlp[-1].weight, std=0.1)
    small, other = CAMERA.resized(8, 6), torch.eye(10)[3]
    views = [nerf.render_view(POSES[0], small, h) for h in (HISTOGRAM, other, HISTOGRAM)]
    assert torch.equal(views[0].rgb, views[2].rgb)
    assert (views[0].rgb - views[1].rgb).abs().max() > 1e-3
    assert torch.equal(views[0].depth, views[1].depth)


def test_pose_features_are_composited_by_the_papers_equation(nerf: NeRFP) -> None:
    """F = sum w_i f_i with f_i from the whole encoder: the rearranged order gives the same."""
    torch.manual_seed(1)
    branch, feature = PoseBranch(6), torch.randn(5, 7, 6)
    weights = torch.rand(5, 7) / 7
    per_sample = branch.output(branch.encoder(feature))
    expected = (weights[..., None] * per_sample).sum(1)
    assert torch.allclose(branch(feature, weights), expected, atol=1e-5)


def test_posemap_gradient_reaches_the_pose_through_a_frozen_nerf(nerf: NeRFP) -> None:
    nerf.requires_grad_(False)
    pose = POSES[:1].clone().requires_grad_(True)
    nerf.posemap(pose, CAMERA).features.square().sum().backward()
    assert pose.grad[0, :3, 3].abs().min() > 0 and pose.grad[0, :3, :3].abs().max() > 0


def test_histogram_counts_pixels_by_luma() -> None:
    image = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    image[0, 0, 0] = 255
    image[0, 0, 1] = torch.tensor([0, 255, 0])  # luma 0.587 * 255 = 150, bin 5 of 25.6 each
    histogram = luma_histogram(image)[0]
    expected = torch.zeros(10)
    expected[0], expected[5], expected[9] = 0.5, 0.25, 0.25
    assert torch.allclose(histogram, expected)


@pytest.mark.parametrize('pixels_at_once', [1, 500, 3000])
def test_histograms_of_many_images_are_those_of_each(monkeypatch, pixels_at_once) -> None:
    images = torch.randint(0, 256, (23, 14, 17, 3), dtype=torch.uint8)
    images[::3] = images[::3, ..., :1]  # grey
    images[::5] = 128  # on the border between two bins
    together = luma_histogram(images)
    assert torch.equal(together, torch.cat([luma_histogram(image[None]) for image in images]))
    monkeypatch.setattr(exposure, '_PIXELS_AT_ONCE', pixels_at_once)
    assert torch.equal(luma_histogram(images), together)
    assert luma_histogram(images[:0]).shape == (0, 10)


def test_exposure_starts_as_the_identity() -> None:
    rgb = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(AffineExposure()(rgb, HISTOGRAM[None]), rgb)


def test_training_learns_a_known_room_and_freezes_it_for_the_pose_branch(
    recipe: NerfRecipe, tmp_path: Path
) -> None:
    """From photographs of a painted cube, held-out ones render far better than their mean."""
    torch.manual_seed(0)
    camera = CAMERA.resized(32, 24)
    photos = torch.stack([torch.from_numpy(photograph(p.double().numpy(), camera)) for p in POSES])
    seen, unseen = torch.arange(30) % 5 != 0, [5, 15]
    recipe = replace(recipe, steps=200)
    nerf = make_nerf_p(SceneFrame.from_poses(POSES), recipe)
    train_render_branch(
        nerf,
        rays_of(photos, POSES, camera),
        Phases(torch.arange(30)[seen], torch.arange(30)[~seen], recipe.steps),
        recipe,
        0,
        tmp_path / 'views.pt',
        lambda: None,
    )
    histograms = luma_histogram(photos)
    with torch.no_grad():
        errors = torch.stack(
            [
                (
                    nerf.render_view(POSES[i], camera, histograms[i]).rgb - photos[i] / 255.0
                ).square()
                for i in unseen
            ]
        ).mean()
    spread = (photos[unseen] / 255.0).var(dim=(0, 1, 2)).mean()
    assert errors < 0.4 * spread

    before = {k: v.clone() for k, v in nerf.state_dict().items()}
    train_pose_branch(nerf, POSES, CAMERA, recipe, 0.1, 5.0, 0, tmp_path / 'posemap.pt')
    for name, value in nerf.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith('pose_branch'), name


def test_a_stopped_training_resumes_to_the_same_weights(
    recipe: NerfRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimiser's state, too: it must come back in the memory layout of its weights."""
    images = torch.from_numpy(np.stack([photograph(pose) for pose in circle_of_poses(6)]))
    poses = torch.from_numpy(circle_of_poses(6)).float()
    short = replace(recipe, steps=12, rays_per_step=64)

    def train(name: str) -> NeRFP:
        torch.manual_seed(0)
        nerf = make_nerf_p(SceneFrame.from_poses(poses), short)
        rays = rays_of(images, poses, CAMERA)
        phases = Phases(torch.arange(6), torch.arange(0), short.steps)
        train_render_branch(nerf, rays, phases, short, 0, tmp_path / name, lambda: None)
        return nerf

    whole = train('whole.pt')
    loss = type(whole).loss

    def stop(self: NeRFP, *arguments) -> tuple[torch.Tensor, torch.Tensor]:
        if arguments[1] == 7:
            raise KeyboardInterrupt
        return loss(self, *arguments)

    monkeypatch.setattr(type(whole), 'loss', stop)
    with pytest.raises(KeyboardInterrupt):
        train('stopped.pt')
    monkeypatch.undo()
    for (name, a), b in zip(whole.state_dict().items(), train('stopped.pt').state_dict().values()):
        assert torch.equal(a, b), name


def test_depths_of_photos_teach_the_field_where_things_are(tmp_path: Path) -> None:
    """A cube without a pattern: colours tell nothing of its depth, which is told on every second
    pixel, and wrongly, but unsurely, on some.
    """
    camera, side = CAMERA.resized(32, 24), 3.0
    photos = torch.full((30, 24, 32, 3), 90, dtype=torch.uint8)
    depths = []
    for pose in POSES:
        origins, directions = view_rays(pose, camera)
        to_walls = (torch.sign(directions) * side - origins) / directions
        depths.append(to_walls.nan_to_num(torch.inf).amin(-1).reshape(24, 32))
    true = torch.stack(depths)
    told, sigma = true.clone(), torch.full_like(true, 0.01)
    told[:, ::2] = 0.0
    told[:, 1::4, ::4], sigma[:, 1::4, ::4] = 0.5, 1.0

    def error(weight: float) -> float:
        torch.manual_seed(0)
        recipe = replace(RECIPE.nerf_p, steps=150, depth_weight=weight)
        nerf = make_nerf_p(SceneFrame.from_poses(POSES), recipe)
        rays = rays_of(photos, POSES, camera, PhotoDepths(told, sigma))
        phases = Phases(torch.arange(30), torch.arange(0), recipe.steps)
        path = tmp_path / f'{weight}.pt'
        train_render_branch(nerf, rays, phases, recipe, 0, path, lambda: None)
        with torch.no_grad():
            shown = nerf.render_view(POSES[7], camera, HISTOGRAM).depth
        return float((shown - true[7]).abs().median())

    told_it, untold = error(0.1), error(0.0)
    assert told_it < 0.8 and told_it < 0.5 * untold, (told_it, untold)


def test_pixels_that_the_lens_did_not_see_are_no_data(tmp_path: Path) -> None:
    images = torch.zeros(2, 24, 32, 3, dtype=torch.uint8)
    shown = torch.zeros(2, 24, 32, dtype=torch.bool)
    shown[:, 5:, 8:] = True
    images[shown] = 200
    camera = CAMERA.resized(32, 24)
    unknown = PhotoDepths.unknown(2, camera)
    photos = PhotoRays(images, shown, unknown, POSES[:2], camera, torch.device('cpu'))
    rays = photos.draw(torch.arange(2), 2000, torch.Generator().manual_seed(0))
    assert 1000 < len(rays.rgb) < 1400  # 19 x 24 of 24 x 32 are seen
    assert torch.allclose(rays.rgb, torch.tensor(200 / 255.0))


def test_how_far_depths_are_off(nerf: NeRFP) -> None:
    camera = CAMERA.resized(16, 12)
    images, histogram = torch.zeros(3, 12, 16, 3, dtype=torch.uint8), torch.full((10,), 0.1)
    with torch.no_grad():
        shown = torch.stack([nerf.render_view(p, camera, histogram).depth for p in POSES[:3]])
    depths = PhotoDepths(1.25 * shown, torch.ones_like(shown))
    depths.depth[:, :6] = 0.0  # unknown
    photos = rays_of(images, POSES[:3], camera, depths)
    assert depth_off(nerf, photos, torch.arange(3)) == pytest.approx(0.2, abs=1e-3)
    assert math.isnan(depth_off(nerf, rays_of(images, POSES[:3], camera), torch.arange(3)))


def test_where_a_sample_is_can_be_seen_in_the_posemap(recipe: NerfRecipe) -> None:
    """In fog that is the same everywhere, the features are, too, unless they see the position."""

    def change(sees_position: bool) -> float:
        torch.manual_seed(0)
        model = make_nerf_p(
            SceneFrame.from_poses(POSES), replace(recipe, pose_branch_sees_position=sees_position)
        )
        model.field.feature = lambda hidden: torch.ones(
            *hidden.shape[:-1], model.field.feature_width
        )
        there = POSES[:1].clone()
        there[:, :3, 3] += 0.5
        with torch.no_grad():
            features = [model.posemap(T, CAMERA) for T in (POSES[:1], there)]
        a, b = (f.features / f.opacity[..., None] for f in features)
        return float((a - b).norm() / a.norm())

    assert change(True) > 10 * change(False)
