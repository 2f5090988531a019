"""The grid field: both ways of reading its planes against a reading point by point."""

import math

import pytest
import torch
from tiny_environment import circle_of_poses

from posemap_ros.nerf_p.grid_field import FeaturePlanes, GridField, trunc_exp
from posemap_ros.nerf_p.scene import SceneFrame


def naive_read(planes: torch.Tensor, point: list[float]) -> list[float]:
    """Bilinear on the three planes [3, C, S, S] of (x, y), (x, z), (y, z), multiplied."""
    _, channels, size, _ = planes.shape
    place = [min(max((c + 1.0) / 2.0 * (size - 1), 0.0), size - 1.0) for c in point]
    product = [1.0] * channels
    for plane, (u, v) in zip(planes, ((0, 1), (0, 2), (1, 2))):
        column, row = (min(int(place[axis]), size - 2) for axis in (u, v))
        right, down = place[u] - column, place[v] - row
        for channel in range(channels):
            cell = plane[channel, row : row + 2, column : column + 2].tolist()
            top = cell[0][0] * (1 - right) + cell[0][1] * right
            bottom = cell[1][0] * (1 - right) + cell[1][1] * right
            product[channel] *= top * (1 - down) + bottom * down
    return product


@pytest.mark.parametrize('gradients', [True, False])
def test_planes_are_read_bilinearly_and_multiplied(gradients: bool) -> None:
    torch.manual_seed(0)
    planes = FeaturePlanes((5, 8), 3)
    points = torch.rand(20, 3) * 2.4 - 1.2  # some of them outside
    points[0], points[1], points[2] = -1.0, 1.0, torch.tensor([1.0, -1.0, 0.0])
    with torch.set_grad_enabled(gradients):
        found = planes(points)
    expected = [[v for p in planes.planes for v in naive_read(p, q)] for q in points.tolist()]
    assert found.shape == (20, planes.width) and found.requires_grad is gradients
    assert torch.allclose(found, torch.tensor(expected), atol=1e-5)


def test_roughness_is_the_mean_squared_step() -> None:
    planes = FeaturePlanes((3,), 1)
    with torch.no_grad():
        planes.planes[0].zero_()
        planes.planes[0][0, 0, 1, 1] = 2.0
    # Each direction has 18 steps, of which two are 2 high.
    assert planes.roughness().item() == pytest.approx(2 * 8.0 / 18.0)


def test_colours_are_those_of_the_layers_one_after_the_other() -> None:
    """Feature, direction and code go into the colour layers; here without the short cut."""
    torch.manual_seed(0)
    scene = SceneFrame.from_poses(torch.from_numpy(circle_of_poses(8)))
    field = GridField(scene, (4,), 2, code_width=5, hidden=6)
    hidden, code = torch.rand(3, 4, 6), torch.rand(3, 5)
    directions = torch.nn.functional.normalize(torch.randn(3, 3), dim=-1)
    x, y, z = directions.unbind(-1)
    seen = [torch.ones(3), x, y, z, x * y, y * z, z * x, x * x - y * y, 3 * z * z - 1]
    inputs = torch.cat(
        [
            field.feature(hidden),
            torch.stack(seen, -1)[:, None].expand(3, 4, 9),
            code[:, None].expand(3, 4, 5),
        ],
        dim=-1,
    )
    expected = torch.sigmoid(field.colour(inputs))
    assert torch.allclose(field.colours(hidden, directions, code), expected, atol=1e-6)


def test_the_exponential_is_capped_and_so_is_its_gradient() -> None:
    x = torch.tensor([1.0, 20.0, -40.0], requires_grad=True)
    y = trunc_exp(x)
    y.sum().backward()
    assert torch.allclose(y, torch.tensor([math.e, math.exp(15.0), 0.0]))
    assert torch.allclose(x.grad, torch.tensor([math.e, math.exp(15.0), math.exp(-15.0)]))
