"""Where along rays the field is asked."""

import torch

from posemap_ros.nerf_p.sampling import importance_edges, stratified_edges

CPU = torch.device('cpu')


def test_stratified_edges_cover_the_ray_in_order() -> None:
    fixed = stratified_edges(3, 8, None, CPU)
    assert torch.allclose(fixed, torch.linspace(0, 1, 9).expand(3, 9))
    jittered = stratified_edges(200, 8, torch.Generator().manual_seed(0), CPU)
    assert (jittered.diff(dim=-1) >= 0).all()
    assert (jittered[:, 0] == 0).all() and (jittered[:, -1] == 1).all()
    # Each edge stays within half a cell of its place, on both sides of it.
    off = (jittered - fixed[0])[:, 1:-1]
    assert off.abs().max() <= 0.5 / 8 and off.min() < -0.05 and off.max() > 0.05


def test_importance_edges_follow_the_weights() -> None:
    """Three quarters of the weight in one cell: three quarters of the samples there."""
    edges = torch.linspace(0, 1, 5).expand(1, 5)
    weights = torch.tensor([[0.25, 0.0, 0.75, 0.0]])
    drawn = importance_edges(edges, weights, 400, None, padding=0.0)
    inside = ((drawn >= 0.5) & (drawn <= 0.75)).float().mean()
    assert abs(inside.item() - 0.75) < 0.01
    assert ((drawn > 0.26) & (drawn < 0.49)).sum() == 0


def test_importance_edges_of_flat_weights_are_even() -> None:
    edges = torch.linspace(0, 1, 9).expand(2, 9)
    drawn = importance_edges(edges, torch.ones(2, 8), 16, None)
    assert torch.allclose(drawn, torch.linspace(0, 1, 17).expand(2, 17), atol=1e-5)


def test_importance_edges_are_sorted_and_carry_no_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    edges = torch.linspace(0, 1, 9).expand(50, 9)
    weights = torch.rand(50, 8, generator=generator).requires_grad_(True)
    drawn = importance_edges(edges, weights, 12, generator)
    assert not drawn.requires_grad
    assert (drawn.diff(dim=-1) >= -1e-6).all() and drawn.min() >= 0 and drawn.max() <= 1


def test_padding_reaches_cells_without_weight() -> None:
    edges = torch.linspace(0, 1, 5).expand(1, 5)
    drawn = importance_edges(edges, torch.tensor([[0.0, 0.0, 0.0, 1.0]]), 4000, None)
    assert ((drawn > 0.01) & (drawn < 0.2)).any()
