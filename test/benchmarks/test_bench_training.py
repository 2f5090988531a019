"""The training benchmark compares like with like: its plain reference is the same network."""

import math

import torch
from tiny_environment import CAMERA, RECIPE
from torch.nn import functional as F

from benchmarks.bench_training import first_time, whole_posemap
from benchmarks.nerf_h import NerfH, Network
from posemap_ros.environment import make_nerf_p
from posemap_ros.nerf_p.mlp_field import MlpField
from posemap_ros.nerf_p.rendering import render_weights
from posemap_ros.nerf_p.scene import SceneFrame

SCENE = SceneFrame(tuple(torch.eye(4).flatten().tolist()), radius_m=1.0, near_m=0.05, middle_m=1.0)


def test_the_reference_and_the_mlp_field_are_the_same_network() -> None:
    """With the same weights, inside the cube where the field's space is not contracted."""
    torch.manual_seed(0)
    field, plain = MlpField(SCENE, code_width=50, transient_width=20), Network(fine=True)
    ours = dict(field.named_parameters())
    names = {'layers': 'trunk', 'direction': 'colour.0', 'rgb': 'colour.2'}
    names['transient_out'] = 'transient_head.8'
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            part, rest = name.split('.', 1)
            if part == 'transient':  # a ReLU after each layer
                index, rest = rest.split('.')
                part = f'transient_head.{2 * int(index)}'
            parameter.copy_(ours[f'{names.get(part, part)}.{rest}'])
    points = 2.0 * torch.rand(30, 3) - 1.0
    directions = F.normalize(torch.randn(30, 3), dim=-1)
    appearance, transient = torch.rand(30, 50), torch.rand(30, 20)
    with torch.no_grad():
        density, hidden = field.density_and_hidden(points[:, None])
        rgb = field.colours(hidden, directions, appearance)
        found = (density, rgb, *field.transient(hidden, transient))
        expected = plain(points, directions, appearance, transient)
    for a, b in zip(found, expected):
        assert torch.allclose(a[:, 0], b, atol=1e-5)


def test_the_references_weights_are_those_of_volume_rendering() -> None:
    generator = torch.Generator().manual_seed(0)
    density = 3.0 * torch.rand(4, 9, generator=generator)
    lengths = torch.rand(4, 9, generator=generator)
    found = NerfH._weights(density, lengths)
    assert torch.allclose(found, render_weights(density, lengths), atol=1e-5)


def test_a_posemap_of_whole_images_has_the_grids_cells() -> None:
    torch.manual_seed(0)
    nerf = make_nerf_p(SCENE, RECIPE.nerf_p)
    grid = nerf.posemap(torch.eye(4)[None], CAMERA)
    features, opacity = whole_posemap(nerf, torch.eye(4), CAMERA)
    assert features.shape == grid.features.shape and opacity.shape == grid.opacity.shape
    # Half a pixel beside each other: more alike than neighbouring cells.
    beside = (features - grid.features).norm(dim=-1).mean()
    assert beside < 0.5 * grid.features.diff(dim=1).norm(dim=-1).mean()


def test_a_level_counts_from_when_it_was_first_found() -> None:
    curve = [(1.0, 12.0), (2.0, 15.0), (3.0, 14.0), (4.0, 16.0)]
    assert [first_time(curve, level) for level in (11.0, 14.5, 16.0)] == [1.0, 2.0, 4.0]
    assert math.isinf(first_time(curve, 16.1))
