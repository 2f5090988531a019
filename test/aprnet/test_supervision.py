"""What known poses teach: L_pose of photos and of their counterparts."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses

from posemap_ros.aprnet.known import Known
from posemap_ros.aprnet.network import Prediction
from posemap_ros.aprnet.supervision import Supervision
from posemap_ros.environment import Environment
from posemap_ros.geometry import perturb_poses
from posemap_ros.recipe import LossWeights

POSES = torch.from_numpy(circle_of_poses(6)).float()
CHOSEN = torch.tensor([4, 1, 2])
KNOWN = Known(POSES[CHOSEN])
POSE_ALONE = LossWeights(image=0.0, posemap=0.0, rvs=0.0, points=0.0)


def near(poses: torch.Tensor, seed: int) -> torch.Tensor:
    return perturb_poses(poses, 0.3, 20.0, torch.Generator().manual_seed(seed))


def twelve(estimate: torch.Tensor, true: torch.Tensor) -> list[float]:
    return [float(estimate[i, j] - true[i, j]) ** 2 for i in range(3) for j in range(4)]


@pytest.mark.parametrize('reduction', ['sum', 'mean'])
def test_l_pose_is_a_mean_over_photos_and_their_counterparts(
    pristine_environment: Path, reduction: str
) -> None:
    recipe = replace(RECIPE.aprnet, loss=POSE_ALONE, pose_reduction=reduction)
    nerf = Environment.load(pristine_environment).load_nerf_p()
    supervise = Supervision(nerf, CAMERA, recipe)
    photos = near(POSES[CHOSEN], 1)
    renders = near(POSES[CHOSEN[:2]], 2).requires_grad_(True)
    predicted = Prediction(photos, torch.zeros(3, 2), None, None)

    def loss(**more: torch.Tensor) -> torch.Tensor:
        return supervise(predicted, KNOWN, **more)

    alone, both = loss(), loss(counterparts=renders)
    of_photos = [twelve(p, POSES[i]) for p, i in zip(photos, CHOSEN)]
    of_renders = [twelve(p, POSES[i]) for p, i in zip(renders.detach(), CHOSEN)]
    divisor = 12 if reduction == 'mean' else 1
    expected_alone = sum(map(sum, of_photos)) / (3 * divisor)
    expected_both = sum(map(sum, of_photos + of_renders)) / (5 * divisor)
    # Both have the loss of the spread, which is the photos' alone.
    assert (both - alone).item() == pytest.approx(expected_both - expected_alone, rel=1e-4)

    # The gradient goes to where the render's pose was found wrong, and so down the slope.
    both.backward()
    slope = 2.0 * (renders.detach() - POSES[CHOSEN[:2]])[:, :3] / (5 * divisor)
    assert torch.allclose(renders.grad[:, :3], slope, atol=1e-6)


def test_no_counterparts_are_as_none(pristine_environment: Path) -> None:
    recipe = replace(RECIPE.aprnet, loss=POSE_ALONE)
    supervise = Supervision(Environment.load(pristine_environment).load_nerf_p(), CAMERA, recipe)
    predicted = Prediction(near(POSES[CHOSEN], 1), torch.zeros(3, 2), None, None)
    none = supervise(predicted, KNOWN, counterparts=torch.empty(0, 4, 4))
    assert torch.equal(none, supervise(predicted, KNOWN))
