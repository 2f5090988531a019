"""Each loss against values computed by hand or pixel by pixel."""

import math

import pytest
import roma
import torch

from posemap_ros.aprnet.losses import (
    LearnedPoseLoss,
    image_loss,
    point_loss,
    pose_loss,
    posemap_loss,
    spread_loss,
)
from posemap_ros.geometry import make_pose


def pose_at(x: float, y: float, z: float, degrees: float = 0.0) -> torch.Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return make_pose(rotation, torch.tensor([x, y, z]))[None]


def test_pose_loss_of_a_known_motion() -> None:
    """A quarter turn changes four entries of R by 1 each; 3 and 4 metres are 25 square metres."""
    found = pose_loss(pose_at(3.0, 4.0, 0.0, 90.0), pose_at(0.0, 0.0, 0.0))
    assert found.item() == pytest.approx(4.0 + 25.0, rel=1e-5)


def test_pose_loss_is_the_mean_over_the_batch() -> None:
    predicted = torch.cat([pose_at(1.0, 0.0, 0.0), pose_at(0.0, 0.0, 0.0)])
    assert pose_loss(predicted, pose_at(0.0, 0.0, 0.0).expand(2, 4, 4)).item() == pytest.approx(
        0.5
    )


def test_pose_loss_as_the_mean_of_twelve_numbers() -> None:
    predicted = torch.cat([pose_at(3.0, 4.0, 0.0, 90.0), pose_at(0.5, 0.0, 1.0, 30.0)])
    true = pose_at(0.1, 0.2, 0.3).expand(2, 4, 4)
    squared = [
        float(predicted[b, i, j] - true[b, i, j]) ** 2
        for b in range(2)
        for i in range(3)
        for j in range(4)
    ]
    assert pose_loss(predicted, true, 'mean').item() == pytest.approx(sum(squared) / 24)
    assert pose_loss(predicted, true).item() == pytest.approx(sum(squared) / 2)


def test_learned_weighting_against_the_formula() -> None:
    """Squared errors 25 and 4: exp(-s) each plus s, with s = 0 and -3 at first."""
    loss = LearnedPoseLoss()
    predicted, true = pose_at(3.0, 4.0, 0.0, 90.0), pose_at(0.0, 0.0, 0.0)
    expected = 25.0 + 4.0 * math.exp(3.0) - 3.0
    assert loss(predicted, true).item() == pytest.approx(expected, rel=1e-5)


def test_learned_weights_settle_at_the_logarithm_of_the_squared_errors() -> None:
    loss = LearnedPoseLoss()
    predicted, true = pose_at(0.3, 0.4, 0.0, 90.0), pose_at(0.0, 0.0, 0.0)
    with torch.no_grad():
        loss.log_variance.copy_(torch.tensor([math.log(0.25), math.log(4.0)]))
    loss(predicted, true).backward()
    assert loss.log_variance.grad.abs().max() < 1e-5


def test_spread_loss_against_the_formula() -> None:
    """3 log sigma + e^2 / (2 sigma^2) for 0.3 m under 0.2 m, and 6 degrees under 0.1 rad."""
    log_sigma = torch.tensor([[math.log(0.2), math.log(0.1)]])
    found = spread_loss(log_sigma, pose_at(0.3, 0.0, 0.0, 6.0), pose_at(0.0, 0.0, 0.0))
    expected = 3.0 * math.log(0.2) + 0.5 * 1.5**2
    expected += 3.0 * math.log(0.1) + 0.5 * (math.radians(6.0) / 0.1) ** 2
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_spread_loss_is_least_at_the_true_spread() -> None:
    """For an error e of three components the likelihood peaks at sigma = e / sqrt(3)."""
    predicted, true = pose_at(0.3, 0.0, 0.0, 6.0), pose_at(0.0, 0.0, 0.0)
    best = torch.tensor([[0.3, math.radians(6.0)]]) / math.sqrt(3.0)
    log_sigma = best.log().requires_grad_(True)
    spread_loss(log_sigma, predicted, true).backward()
    assert log_sigma.grad.abs().max() < 1e-3
    at_best = spread_loss(best.log(), predicted, true)
    assert spread_loss((1.5 * best).log(), predicted, true) > at_best
    assert spread_loss((best / 1.5).log(), predicted, true) > at_best


def test_spread_loss_does_not_move_the_pose() -> None:
    predicted = pose_at(0.3, 0.0, 0.0).requires_grad_(True)
    log_sigma = torch.zeros(1, 2, requires_grad=True)
    spread_loss(log_sigma, predicted, pose_at(0.0, 0.0, 0.0)).backward()
    assert predicted.grad is None


def naive_image_loss(photo: torch.Tensor, render: torch.Tensor, margin: float) -> float:
    """By the definition over channels; transposed images give the one along the width."""
    batch, _, height, width = photo.shape
    total = 0.0
    for b in range(batch):
        other = (b - 1) % batch
        pairings = [
            (photo[b], render[other]),
            (photo[b], photo[other]),
            (render[b], photo[other]),
            (render[b], render[other]),
        ]
        candidates = []
        for anchor, negative in pairings:
            pixels = []
            for v in range(height):
                for u in range(width):
                    positive = (photo[b, :, v, u] - render[b, :, v, u]).norm()
                    apart = (anchor[:, v, u] - negative[:, v, u]).norm()
                    pixels.append(max(0.0, float(margin + positive - apart)))
            candidates.append(sum(pixels) / len(pixels))
        total += max(candidates) / batch
    return total


def test_image_loss_against_the_pixel_by_pixel_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    photo = torch.randn(3, 4, 2, 3, generator=generator)
    render = photo + 0.3 * torch.randn(3, 4, 2, 3, generator=generator)
    expected = naive_image_loss(photo, render, 1.0)
    assert expected > 0.01
    assert image_loss([photo], [render]).item() == pytest.approx(expected, rel=1e-4)
    twice = image_loss([photo, 2 * photo], [render, 2 * render])
    both = 0.5 * (expected + naive_image_loss(2 * photo, 2 * render, 1.0))
    assert twice.item() == pytest.approx(both, rel=1e-4)


def test_image_loss_along_the_width() -> None:
    """Rows of each channel take the place of pixels: the same with channels and width swapped."""
    generator = torch.Generator().manual_seed(1)
    photo = torch.randn(3, 4, 2, 3, generator=generator)
    render = photo + 0.3 * torch.randn(3, 4, 2, 3, generator=generator)
    expected = naive_image_loss(photo.transpose(1, 3), render.transpose(1, 3), 1.0)
    assert expected != pytest.approx(naive_image_loss(photo, render, 1.0), rel=0.01)
    found = image_loss([photo], [render], distance='width')
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_image_loss_by_hand() -> None:
    """One pixel, one channel: photos 0 and 5, renders 1 and 3, so positives are 1 and 2 apart.

    Image 0: the nearest negative of any pairing is the render 3 to the render 1, at 2:
    1 + 1 - 2 = 0. Image 1 has the same four pairs with its positive 2: 1 + 2 - 2 = 1.
    """
    photo = torch.tensor([0.0, 5.0]).reshape(2, 1, 1, 1)
    render = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
    assert image_loss([photo], [render]).item() == pytest.approx(0.5, abs=1e-3)


def test_image_loss_of_one_image_is_refused() -> None:
    with pytest.raises(ValueError, match='batch of 2'):
        image_loss([torch.zeros(1, 4, 2, 2)], [torch.zeros(1, 4, 2, 2)])


def test_posemap_loss_weighs_by_opacity() -> None:
    """Cosines 1, 0 and -1 under opacities 1, 0.5 and 0: (0 * 1 + 1 * 0.5 + 2 * 0) / 1.5."""
    true = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    predicted = torch.tensor([[[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]])
    opacity = torch.tensor([[1.0, 0.5, 0.0]])
    assert posemap_loss(predicted, true, opacity).item() == pytest.approx(1.0 / 3.0, rel=1e-5)


def test_posemap_loss_as_a_distance() -> None:
    """Features 5 and 2 apart under opacities 1 and 0.5: (5 * 1 + 2 * 0.5) / 1.5."""
    true = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    predicted = torch.tensor([[[4.0, 4.0], [1.0, 2.0]]])
    found = posemap_loss(predicted, true, torch.tensor([[1.0, 0.5]]), distance='l2')
    assert found.item() == pytest.approx(4.0, rel=1e-5)


def test_point_loss_of_true_points_is_zero_and_far_cells_do_not_count() -> None:
    rays = torch.tensor([[0.0, 0.0, 1.0], [0.5, 0.0, 1.0]])
    pose = pose_at(1.0, 2.0, 3.0, 90.0)
    depths = torch.tensor([[2.0, 100.0]])
    # Straight ahead at 2 m from (1, 2, 3), z forward; the far cell is predicted as nonsense.
    points = torch.tensor([[[1.0, 2.0, 5.0], [9.0, 9.0, 9.0]]])
    guess = torch.tensor([[2.0, 1.0]])
    assert point_loss(points, guess, pose, depths, rays, far_m=50.0).item() == pytest.approx(
        0.01, abs=1e-4
    )
    off = points + torch.tensor([0.3, 0.4, 0.0])
    assert point_loss(off, guess, pose, depths, rays, far_m=50.0).item() == pytest.approx(
        math.sqrt(0.25 + 1e-4), rel=1e-4
    )


def poses_in_double(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    vectors = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    shifts = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return make_pose(roma.rotvec_to_rotmat(vectors), shifts)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ('loss', 'inputs'),
    [
        (pose_loss, (poses_in_double(3), poses_in_double(4)[:3])),
        (LearnedPoseLoss().double(), (poses_in_double(3), poses_in_double(4)[:3])),
        (lambda s: spread_loss(s, poses_in_double(3), poses_in_double(4)[:3]), (drawn(3, 2),)),
        (lambda a, b: image_loss([a], [b]), (drawn(3, 4, 2, 3), 0.7 * drawn(3, 4, 3, 2).mT)),
        (
            lambda a, b: image_loss([a], [b], distance='width'),
            (drawn(3, 4, 2, 3), 0.7 * drawn(3, 4, 3, 2).mT),
        ),
        (
            lambda a: posemap_loss(a, drawn(2, 5, 4), drawn(2, 5).sigmoid()),
            (drawn(2, 4, 5).mT.contiguous(),),
        ),
        (
            lambda a: posemap_loss(a, drawn(2, 5, 4), drawn(2, 5).sigmoid(), 'l2'),
            (drawn(2, 4, 5).mT.contiguous(),),
        ),
        (
            lambda p, d: point_loss(
                p, d, poses_in_double(2), 1.0 + drawn(2, 6).abs(), drawn(6, 3), 2.0
            ),
            (drawn(2, 6, 3), 0.5 + drawn(2, 6).abs()),
        ),
    ],
    ids=[
        'pose',
        'pose, learned weights',
        'spread',
        'image',
        'image, width',
        'posemap',
        'posemap, l2',
        'points',
    ],
)
def test_gradients_are_those_of_finite_differences(loss, inputs: tuple[torch.Tensor, ...]) -> None:
    inputs = tuple(x.clone().contiguous().requires_grad_(True) for x in inputs)
    assert loss(*inputs).item() != 0.0
    assert torch.autograd.gradcheck(loss, inputs)
