"""Volume rendering and its losses against sample-by-sample references in plain Python."""

import math

import pytest
import torch

from posemap_ros.nerf_p.rendering import (
    composite,
    distortion_loss,
    joint_weights,
    proposal_loss,
    render_weights,
    weights_from_depth,
)


def naive_weights(density: list[float], lengths: list[float]) -> list[float]:
    transmittance, weights = 1.0, []
    for sigma, delta in zip(density, lengths):
        alpha = 1.0 - math.exp(-sigma * delta)
        weights.append(transmittance * alpha)
        transmittance *= 1.0 - alpha
    return weights


def random_histogram(rays: int, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.rand(rays, samples + 1, generator=generator).sort(-1).values
    edges[:, 0], edges[:, -1] = 0.0, 1.0
    weights = torch.rand(rays, samples, generator=generator)
    return edges, weights / weights.sum(-1, keepdim=True)


def test_weights_are_those_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    density = 5.0 * torch.rand(7, 12, generator=generator)
    lengths = torch.rand(7, 12, generator=generator)
    expected = [naive_weights(d, x) for d, x in zip(density.tolist(), lengths.tolist())]
    assert torch.allclose(render_weights(density, lengths), torch.tensor(expected), atol=1e-6)


def test_an_opaque_wall_takes_all_the_weight() -> None:
    density = torch.tensor([[0.0, 0.0, 1e4, 3.0]])
    weights = render_weights(density, torch.ones(1, 4))
    assert torch.allclose(weights, torch.tensor([[0.0, 0.0, 1.0, 0.0]]), atol=1e-6)


def test_fog_of_known_density_has_known_opacity() -> None:
    weights = render_weights(torch.full((1, 50), 0.7), torch.full((1, 50), 0.1))
    assert weights.sum().item() == pytest.approx(1.0 - math.exp(-0.7 * 5.0), abs=1e-5)


def test_two_parts_hide_each_other() -> None:
    """Each part's share of a sample, behind what both let through before it."""
    generator = torch.Generator().manual_seed(1)
    static, transient = 5.0 * torch.rand(2, 3, 6, generator=generator)
    lengths = torch.rand(3, 6, generator=generator)
    found = joint_weights(static, transient, lengths)
    for r in range(3):
        passed = 1.0
        for s in range(6):
            alphas = [1.0 - math.exp(-float(d[r, s] * lengths[r, s])) for d in (static, transient)]
            for part, alpha in zip(found, alphas):
                assert part[r, s].item() == pytest.approx(passed * alpha, abs=1e-6)
            passed *= (1.0 - alphas[0]) * (1.0 - alphas[1])
    alone, nothing = joint_weights(static, torch.zeros_like(static), lengths)
    assert torch.allclose(alone, render_weights(static, lengths), atol=1e-6)
    assert not nothing.any()


def test_composite_is_the_weighted_sum() -> None:
    weights = torch.tensor([[0.25, 0.75]])
    values = torch.tensor([[[1.0, 0.0], [3.0, 4.0]]])
    assert torch.equal(composite(weights, values), torch.tensor([[2.5, 3.0]]))


def test_proposal_loss_is_zero_where_the_proposal_covers() -> None:
    edges, weights = random_histogram(5, 8, 0)
    assert proposal_loss(edges, weights, edges, weights).item() == pytest.approx(0.0, abs=1e-9)


def test_proposal_loss_against_the_definition() -> None:
    edges, weights = random_histogram(6, 9, 1)
    proposal_edges, proposal_weights = random_histogram(6, 5, 2)
    total = 0.0
    for r in range(6):
        for i in range(9):
            low, high = edges[r, i], edges[r, i + 1]
            bound = sum(
                float(proposal_weights[r, j])
                for j in range(5)
                if proposal_edges[r, j] < high and proposal_edges[r, j + 1] > low
            )
            w = float(weights[r, i])
            total += max(0.0, w - bound) ** 2 / (w + 1e-5) / 6
    found = proposal_loss(edges, weights, proposal_edges, proposal_weights)
    assert total > 1e-3
    assert found.item() == pytest.approx(total, rel=1e-4)


def test_proposal_loss_teaches_only_the_proposal() -> None:
    edges, weights = random_histogram(3, 8, 1)
    proposal_edges, proposal_weights = random_histogram(3, 5, 2)
    weights.requires_grad_(True)
    proposal_weights.requires_grad_(True)
    proposal_loss(edges, weights, proposal_edges, proposal_weights).backward()
    assert weights.grad is None
    assert proposal_weights.grad.abs().sum() > 0


def test_distortion_loss_against_the_definition() -> None:
    edges, weights = random_histogram(4, 6, 3)
    total = 0.0
    for r in range(4):
        for i in range(6):
            width = float(edges[r, i + 1] - edges[r, i])
            total += float(weights[r, i]) ** 2 * width / 3.0
            for j in range(6):
                apart = abs(float(edges[r, i] + edges[r, i + 1] - edges[r, j] - edges[r, j + 1]))
                total += float(weights[r, i] * weights[r, j]) * apart / 2.0
    assert distortion_loss(edges, weights).item() == pytest.approx(total / 4, rel=1e-5)


def test_weights_from_a_depth_by_hand() -> None:
    """Half of the weight 0.2 before the depth and half 0.4 behind it: 0.3 on average, however much
    weight there is.
    """
    where = torch.tensor([[0.3, 0.5, 0.9]]).expand(2, 3)
    weights = torch.tensor([[0.4, 0.0, 0.4], [0.2, 0.0, 0.2]])
    found = weights_from_depth(where, weights, torch.tensor([0.5, 0.5]))
    assert found.tolist() == pytest.approx([0.3, 0.3], rel=5e-3)


def test_weights_move_towards_their_depth_and_none_are_wished_away() -> None:
    where = torch.linspace(0.05, 0.95, 10)[None]
    weights = torch.full((1, 10), 0.05, requires_grad=True)
    weights_from_depth(where, weights, torch.tensor([0.45])).sum().backward()
    wanted = -weights.grad[0]
    assert wanted.argmax() == 4 and (wanted[:4].diff() > 0).all() and (wanted[4:].diff() < 0).all()
    # More of all weights alike is no better and no worse.
    assert abs(float((weights.grad * weights).sum())) < 1e-3
