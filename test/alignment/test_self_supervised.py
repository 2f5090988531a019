"""Alignment on unlabelled images: what moves and what stays."""

from pathlib import Path

import numpy as np
import torch
from tiny_environment import RECIPE, circle_of_poses, photograph

from posemap_ros.alignment.self_supervised import SelfSupervisedAligner
from posemap_ros.environment import Environment
from posemap_ros.recipe import AlignmentRecipe

IMAGES = torch.from_numpy(np.stack([photograph(pose) for pose in circle_of_poses(4)]))


def make_aligner(environment: Path, recipe: AlignmentRecipe) -> SelfSupervisedAligner:
    loaded = Environment.load(environment)
    generator = torch.Generator().manual_seed(0)
    return SelfSupervisedAligner(
        loaded.load_aprnet(), loaded.load_nerf_p(), IMAGES, recipe, generator
    )


def test_only_backbone_and_head_of_the_copy_move(environment: Path) -> None:
    aligner = make_aligner(environment, RECIPE.alignment)
    net, nerf = aligner.extractor, aligner.nerf
    before = {k: v.clone() for k, v in net.state_dict().items()}
    field = {k: v.clone() for k, v in nerf.state_dict().items()}
    for _ in range(2):
        aligner.step(0.0)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(torch.equal(v, field[k]) for k, v in nerf.state_dict().items())
    moved = {k for k, v in aligner.net.state_dict().items() if not torch.equal(v, before[k])}
    assert any(k.startswith('backbone') for k in moved) and any(
        k.startswith('head') for k in moved
    )
    assert not any(k.startswith('adapters') or 'running' in k for k in moved)


def test_the_image_loss_alone_moves_the_pose_through_the_render(environment: Path) -> None:
    """Without the PoseMap loss, only the gradient through the view reaches the network."""
    aligner = make_aligner(environment, AlignmentRecipe(view_height=24, posemap_weight=0.0))
    before = [p.clone() for p in aligner.net.head.parameters()]
    aligner.step(0.0)
    assert any(not torch.equal(a, b) for a, b in zip(before, aligner.net.head.parameters()))


def test_every_image_has_its_turn(environment: Path, monkeypatch) -> None:
    learned = []
    monkeypatch.setattr(SelfSupervisedAligner, 'learn', lambda self, image: learned.append(image))
    aligner = make_aligner(environment, RECIPE.alignment)
    for _ in range(2 * len(IMAGES)):
        aligner.step(0.0)
    for turn in (learned[: len(IMAGES)], learned[len(IMAGES) :]):
        assert {i.numpy().tobytes() for i in turn} == {i.numpy().tobytes() for i in IMAGES}
