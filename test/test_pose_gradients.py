"""The gradient of what the losses render with respect to the pose, against finite differences in
double precision.

Where along its ray the field is asked carries no gradient by design, so the drawn places are held
fixed while the pose moves.
"""

import copy
from dataclasses import replace

import pytest
import roma
import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.alignment.self_supervised import SelfSupervisedAligner
from posemap_ros.aprnet.losses import posemap_loss
from posemap_ros.aprnet.network import network_input
from posemap_ros.environment import make_aprnet, make_nerf_p
from posemap_ros.geometry import make_pose
from posemap_ros.nerf_p import grid_nerf_p, mlp_nerf_p
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import MlpRecipe

POSES = torch.from_numpy(circle_of_poses(30))
SCENE = SceneFrame.from_poses(POSES)
STEP = 1e-7


@pytest.fixture(params=['grid', 'mlp', 'mlp with transient', 'grid with direction'])
def nerf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> NeRFP:
    """Random weights, something to see rather than thin fog, and samples that stay in place."""
    torch.manual_seed(0)
    recipe = replace(
        RECIPE.nerf_p,
        field=request.param.split()[0],
        pose_branch_sees_direction='direction' in request.param,
        mlp=MlpRecipe(layers=6, width=16, render_transient='transient' in request.param),
    )
    model = make_nerf_p(SCENE, recipe)
    with torch.no_grad():
        if recipe.field == 'grid':
            for layer in (model.field.trunk[-1], model.proposal.density[-1]):
                layer.weight.mul_(8.0)
        else:
            for layer in (model.field.density, model.coarse.density):
                layer.weight.mul_(20.0)
    module = grid_nerf_p if recipe.field == 'grid' else mlp_nerf_p
    draw, drawn = module.importance_edges, []

    def draw_once(*arguments: object) -> torch.Tensor:
        if not drawn:
            drawn.append(draw(*arguments))
        return drawn[0]

    monkeypatch.setattr(module, 'importance_edges', draw_once)
    return model.double().requires_grad_(False)


def moved(base: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """The pose [4, 4] turned by a rotation vector and shifted: motion [6], radians and metres."""
    turn = roma.rotvec_to_rotmat(motion[:3])
    return make_pose(base[:3, :3] @ turn, base[:3, 3] + motion[3:])


def check(loss, base: torch.Tensor) -> None:
    """The gradient of ``loss(pose)`` in all six directions is the slope that is found there."""
    motion = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(moved(base, motion)), motion)
    assert gradient.abs().min() > 1e-8
    with torch.no_grad():
        for axis in range(6):
            offset = STEP * torch.eye(6, dtype=torch.float64)[axis]
            slope = (loss(moved(base, offset)) - loss(moved(base, -offset))) / (2.0 * STEP)
            assert gradient[axis].item() == pytest.approx(slope.item(), rel=2e-3, abs=1e-7)


@pytest.mark.parametrize('distance', ['cosine', 'l2'])
@pytest.mark.parametrize('features', ['pose_branch', 'trunk'])
def test_posemap_loss(nerf: NeRFP, distance: str, features: str) -> None:
    camera = CAMERA.resized(32, 32)
    generator = torch.Generator().manual_seed(0)
    size = nerf.posemap(POSES[4][None], camera, features=features).features.shape
    true = torch.randn(size, generator=generator, dtype=torch.float64)
    opacity = torch.rand(size[:2], generator=generator, dtype=torch.float64)
    check(
        lambda pose: posemap_loss(
            nerf.posemap(pose[None], camera, features=features).features, true, opacity, distance
        ),
        POSES[4],
    )


def test_image_loss_of_the_alignment(nerf: NeRFP, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the view, its enlargement and the frozen extractor."""
    monkeypatch.setattr(
        'posemap_ros.alignment.self_supervised.luma_histogram',
        lambda image: luma_histogram(image).double(),
    )
    torch.manual_seed(0)
    camera = CAMERA.resized(32, 32)
    net = make_aprnet(SCENE, camera, RECIPE.aprnet).double()
    recipe, order = replace(RECIPE.alignment, view_height=16), torch.Generator()
    image = torch.from_numpy(photograph(POSES[4].numpy(), camera))[None]
    aligner = SelfSupervisedAligner(net, nerf, image, recipe, order)
    photo = network_input(image, camera).double()
    check(lambda pose: aligner._feature_gap(photo, aligner._render(pose, image)), POSES[4])


def test_no_gradient_stays_in_the_field(nerf: NeRFP) -> None:
    """Frozen is frozen: only the pose gets a gradient."""
    before = copy.deepcopy(nerf.state_dict())
    pose = POSES[4].clone().requires_grad_(True)
    nerf.posemap(pose[None], CAMERA).features.square().sum().backward()
    assert pose.grad[:3].abs().max() > 0
    assert all(p.grad is None for p in nerf.parameters())
    assert all(torch.equal(v, before[k]) for k, v in nerf.state_dict().items())
