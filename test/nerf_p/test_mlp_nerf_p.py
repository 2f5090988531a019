"""The paper's field: its networks, codes, samples and loss against METHOD's numbers and formulas
written out.
"""

import math
from dataclasses import replace

import pytest
import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses
from torch.nn import functional as F

from posemap_ros.environment import make_nerf_p
from posemap_ros.nerf_p.encodings import positional_encoding
from posemap_ros.nerf_p.exposure import PercentEmbedding
from posemap_ros.nerf_p.mlp_field import MlpField
from posemap_ros.nerf_p.mlp_nerf_p import MlpNeRFP, transient_loss
from posemap_ros.nerf_p.nerf_p import view_rays
from posemap_ros.nerf_p.photo_rays import Rays
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import MlpRecipe, NerfRecipe, load_recipe

POSES = torch.from_numpy(circle_of_poses(12)).float()
SCENE = SceneFrame.from_poses(POSES)
SMALL = MlpRecipe(layers=6, width=16)
LITERAL = replace(RECIPE.nerf_p, field='mlp', appearance='percent_embedding', mlp=SMALL)


def make(recipe: NerfRecipe = LITERAL) -> MlpNeRFP:
    torch.manual_seed(0)
    return make_nerf_p(SCENE, recipe)


def rays(count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    origins, directions = view_rays(POSES[1], CAMERA.resized(8, 6))
    return origins[:count], directions[:count]


def seen_along(
    origins: torch.Tensor, directions: torch.Tensor, histogram: torch.Tensor, rgb: torch.Tensor
) -> Rays:
    unknown = torch.zeros(len(rgb))
    return Rays(origins, directions, histogram, rgb, unknown, unknown)


def histograms(count: int) -> torch.Tensor:
    drawn = torch.rand(count, 10, generator=torch.Generator().manual_seed(3))
    return drawn / drawn.sum(1, keepdim=True)


def test_positional_encoding_against_the_formula() -> None:
    x, y = 0.3, -1.2
    found = positional_encoding(torch.tensor([x, y]), 2).tolist()
    expected = [x, y, math.sin(x), math.sin(y), math.cos(x), math.cos(y)]
    expected += [math.sin(2 * x), math.sin(2 * y), math.cos(2 * x), math.cos(2 * y)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_networks_have_the_papers_sizes() -> None:
    """8 layers of 128 with the encoded position again before layer 4, encodings of 63 and 27,
    codes of 50 and 20, colour and transient layers of 64; a linear layer has (in + 1) out numbers.
    """
    nerf = make(load_recipe('paper_indoor').nerf_p)
    trunk = 64 * 128 + 3 * 129 * 128 + (129 + 63) * 128 + 3 * 129 * 128
    heads = 129 + 129 * 128  # density; the last layer, without an activation
    coarse = trunk + heads + (129 + 27) * 64 + 65 * 3
    fine = trunk + heads + (129 + 27 + 50) * 64 + 65 * 3
    transient = (129 + 20) * 64 + 3 * 65 * 64 + 65 * 5
    assert sum(p.numel() for p in nerf.coarse.parameters()) == coarse
    assert sum(p.numel() for p in nerf.field.parameters()) == fine + transient
    assert nerf.exposure.table.weight.shape == (101, 5)
    assert nerf.transient_code.table.weight.shape == (101, 2)


def test_the_network_layer_by_layer() -> None:
    """Without the short cuts: everything is concatenated and goes through one layer at a time."""
    torch.manual_seed(0)
    field = MlpField(SCENE, layers=6, width=16, code_width=7, transient_width=3)
    points, code, transient_code = torch.randn(4, 5, 3), torch.rand(4, 7), torch.rand(4, 3)
    directions = F.normalize(torch.randn(4, 3), dim=-1)
    encoded = positional_encoding(2.0 * SCENE.normalise(points), 10)
    x = encoded
    for index, layer in enumerate(field.trunk):
        if index == 4:
            x = torch.cat([encoded, x], dim=-1)
        x = torch.relu(layer(x))
    density, hidden = field.density_and_hidden(points)
    expected = torch.log(1.0 + torch.exp(field.density(x)[..., 0])) / SCENE.radius_m
    assert torch.allclose(density, expected, atol=1e-6)
    feature = field.last(x)
    assert torch.allclose(field.feature(hidden), feature, atol=1e-6)

    def beside(per_ray: torch.Tensor) -> torch.Tensor:
        return per_ray[:, None].expand(4, 5, -1)

    seen = positional_encoding(directions, 4)
    rgb = torch.sigmoid(field.colour(torch.cat([feature, beside(seen), beside(code)], dim=-1)))
    assert torch.allclose(field.colours(hidden, directions, code), rgb, atol=1e-6)
    out = field.transient_head(torch.cat([feature, beside(transient_code)], dim=-1))
    found = field.transient(hidden, transient_code)
    assert torch.allclose(found[0], F.softplus(out[..., 0]) / SCENE.radius_m, atol=1e-6)
    assert torch.allclose(found[1], torch.sigmoid(out[..., 1:4]), atol=1e-6)
    assert torch.allclose(found[2], F.softplus(out[..., 4]), atol=1e-6)


def test_percentages_look_up_their_numbers() -> None:
    """Half a percent goes to the even one; the bins' numbers stand one after the other."""
    embedding = PercentEmbedding(numbers_per_bin=2)
    with torch.no_grad():
        embedding.table.weight.copy_(torch.arange(101.0)[:, None] + torch.tensor([0.0, 0.25]))
    shares = torch.zeros(1, 10)
    shares[0, :4] = torch.tensor([0.504, 0.376, 0.125, 0.0])
    found = embedding.code(shares)[0].tolist()
    assert found[:8] == [50.0, 50.25, 38.0, 38.25, 12.0, 12.25, 0.0, 0.25]
    assert embedding.code(torch.eye(10)[:1])[0, :3].tolist() == [100.0, 100.25, 0.0]
    rgb = torch.rand(1, 3)
    assert torch.equal(embedding(rgb, shares), rgb)


def test_samples_are_the_coarse_ones_and_as_many_more_as_asked_for() -> None:
    nerf = make()
    origins, directions = rays()
    samples = nerf.sample(origins, directions)
    count = LITERAL.proposal_samples + LITERAL.final_samples
    assert samples.depths.shape == samples.weights.shape == (5, count)
    near, far = SCENE.near_m, 4.0 * SCENE.middle_m
    assert samples.depths.min() >= near and samples.depths.max() <= far
    assert (samples.depths.diff(dim=-1) >= 0).all()
    # Every coarse interval of equal depth still begins with a sample's edge: none is longer.
    stretch = directions.norm(dim=-1, keepdim=True)
    along_axis = samples.lengths / stretch
    step = (far - near) / LITERAL.proposal_samples
    assert along_axis[:, :-1].max() <= step * 1.001
    assert along_axis[:, :-1].sum(-1).max() < far - near
    assert torch.allclose(along_axis.sum(-1), torch.tensor(SCENE.far_m - near), rtol=1e-4)


def test_the_transient_loss_by_hand() -> None:
    """Errors of 0.1 and 0.3 under betas of 0.1 and 0.2, densities of 2 and 4 on average 3."""
    squared = torch.tensor([[0.01, 0.01, 0.01], [0.09, 0.09, 0.09]])
    beta = torch.tensor([0.1, 0.2])
    density = torch.tensor([[2.0, 2.0], [4.0, 4.0]])
    expected = 0.5 * (0.01 / 0.02 + 0.09 / 0.08)
    expected += 3.0 + 0.5 * (math.log(0.1) + math.log(0.2)) + 0.01 * 3.0
    assert transient_loss(squared, beta, density).item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def naive_composite(
    nerf: MlpNeRFP, samples, directions: torch.Tensor, histogram: torch.Tensor
) -> tuple[list[list[float]], list[float], torch.Tensor]:
    """Colours and betas of both parts together, sample by sample, and the transient densities."""
    unit = F.normalize(directions, dim=-1)
    rgb = nerf.field.colours(samples.hidden, unit, nerf.exposure.code(histogram))
    density, transient_rgb, beta = nerf.field.transient(
        samples.hidden, nerf.transient_code.code(histogram)
    )
    colours, betas = [], []
    for r in range(len(directions)):
        passed, colour, total = 1.0, [0.0] * 3, 0.1
        for s in range(samples.depths.shape[1]):
            length = float(samples.lengths[r, s])
            static = 1.0 - math.exp(-float(samples.density[r, s]) * length)
            transient = 1.0 - math.exp(-float(density[r, s]) * length)
            for c in range(3):
                colour[c] += passed * static * float(rgb[r, s, c])
                colour[c] += passed * transient * float(transient_rgb[r, s, c])
            total += passed * transient * float(beta[r, s])
            passed *= (1.0 - static) * (1.0 - transient)
        colours.append(colour)
        betas.append(total)
    return colours, betas, density


@torch.no_grad()
def test_the_loss_against_the_published_one_sample_by_sample() -> None:
    nerf = make()
    origins, directions = rays()
    histogram, true = histograms(5), torch.rand(5, 3, generator=torch.manual_seed(2))
    loss, photometric = nerf.loss(
        seen_along(origins, directions, histogram, true), 0, torch.Generator().manual_seed(7)
    )
    samples = nerf.sample(origins, directions, torch.Generator().manual_seed(7))
    unit = F.normalize(directions, dim=-1)
    coarse_rgb = nerf.coarse.colours(samples.coarse_hidden, unit, unit[:, :0])
    coarse = (samples.coarse_weights[..., None] * coarse_rgb).sum(1)
    expected = 0.5 * float((coarse - true).square().mean())
    colours, betas, density = naive_composite(nerf, samples, directions, histogram)
    squared = [
        (colours[r][c] - float(true[r, c])) ** 2 / (2.0 * betas[r] ** 2)
        for r in range(5)
        for c in range(3)
    ]
    expected += sum(squared) / 15.0
    expected += 3.0 + sum(math.log(b) for b in betas) / 5.0
    expected += 0.01 * float(density.mean()) * SCENE.radius_m
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    errors = (torch.tensor(colours) - true).square()
    assert photometric.item() == pytest.approx(float(errors.mean()), rel=1e-3)


@torch.no_grad()
def test_without_a_transient_head_half_the_squared_errors_remain() -> None:
    nerf = make(replace(LITERAL, mlp=replace(SMALL, transient=False)))
    origins, directions = rays()
    histogram, true = histograms(5), torch.rand(5, 3, generator=torch.manual_seed(2))
    loss, photometric = nerf.loss(
        seen_along(origins, directions, histogram, true), 0, torch.Generator().manual_seed(7)
    )
    samples = nerf.sample(origins, directions, torch.Generator().manual_seed(7))
    fine = (nerf.shade(samples, directions, histogram) - true).square().mean()
    unit = F.normalize(directions, dim=-1)
    coarse_rgb = nerf.coarse.colours(samples.coarse_hidden, unit, unit[:, :0])
    coarse = ((samples.coarse_weights[..., None] * coarse_rgb).sum(1) - true).square().mean()
    assert photometric.item() == pytest.approx(fine.item(), rel=1e-5)
    assert loss.item() == pytest.approx(0.5 * (fine + coarse).item(), rel=1e-5)


def test_every_part_but_the_pose_branch_learns_from_the_loss() -> None:
    nerf = make()
    origins, directions = rays()
    generator = torch.Generator().manual_seed(0)
    seen = seen_along(origins, directions, histograms(5), torch.rand(5, 3))
    nerf.loss(seen, 0, generator)[0].backward()
    without = {name for name, p in nerf.named_parameters() if p.grad is None}
    assert without and all(name.startswith('pose_branch') for name in without)


def test_the_static_scene_is_shown_and_both_parts_if_asked_for() -> None:
    static = make()
    both = make(replace(LITERAL, mlp=replace(SMALL, render_transient=True)))
    both.load_state_dict(static.state_dict())
    origins, directions = rays()
    histogram = histograms(5)
    samples = static.sample(origins, directions)
    colours = static.field.colours(
        samples.hidden, F.normalize(directions, dim=-1), static.exposure.code(histogram)
    )
    expected = (samples.weights[..., None] * colours).sum(1)
    assert torch.allclose(static.shade(samples, directions, histogram), expected, atol=1e-6)
    expected = torch.tensor(naive_composite(both, samples, directions, histogram)[0])
    assert torch.allclose(both.shade(samples, directions, histogram), expected, atol=1e-5)


def test_the_coarse_network_alone_decides_where_to_look() -> None:
    """A wall in the coarse network draws the fine samples to itself."""
    nerf = make()
    wall_m = 2.0

    def wall(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        depth = (points - POSES[1, :3, 3]) @ POSES[1, :3, 2]
        return 100.0 * (depth > wall_m).float(), torch.zeros(*points.shape[:-1], 16)

    nerf.coarse.density_and_hidden = wall
    depths = nerf.sample(*rays()).depths
    step = (4.0 * SCENE.middle_m - SCENE.near_m) / LITERAL.proposal_samples
    near_wall = ((depths - wall_m).abs() < 1.5 * step).sum(-1)
    assert (near_wall >= LITERAL.final_samples).all()
