"""Alignment on unlabelled images: what moves, what stays, and what is kept."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_environment import RECIPE, circle_of_poses, photograph

from posemap_ros import alignment
from posemap_ros.alignment import (
    Aligner,
    TooFewImages,
    align_environment,
    held_out_indices,
)
from posemap_ros.environment import Environment

IMAGES = np.stack([photograph(pose) for pose in circle_of_poses(12)])


def test_only_backbone_and_head_of_the_copy_move(environment: Path) -> None:
    loaded = Environment.load(environment)
    net, nerf = loaded.load_aprnet(), loaded.load_nerf_p()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    field = {k: v.clone() for k, v in nerf.state_dict().items()}
    aligner = Aligner(net, nerf, RECIPE.alignment)
    for index in range(2):
        aligner.step(torch.from_numpy(IMAGES[index : index + 1]))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(torch.equal(v, field[k]) for k, v in nerf.state_dict().items())
    moved = {k for k, v in aligner.net.state_dict().items() if not torch.equal(v, before[k])}
    assert any(k.startswith('backbone') for k in moved) and any(
        k.startswith('head') for k in moved
    )
    assert not any(k.startswith('adapters') or 'running' in k for k in moved)


def test_the_image_loss_alone_moves_the_pose_through_the_render(environment: Path) -> None:
    """Without the PoseMap loss, only the gradient through the view reaches the network."""
    loaded = Environment.load(environment)
    recipe = RECIPE.alignment.__class__(view_height=24, posemap_weight=0.0)
    aligner = Aligner(loaded.load_aprnet(), loaded.load_nerf_p(), recipe)
    before = [p.clone() for p in aligner.net.head.parameters()]
    aligner.step(torch.from_numpy(IMAGES[:1]))
    assert any(not torch.equal(a, b) for a, b in zip(before, aligner.net.head.parameters()))


@pytest.mark.parametrize('helps', [True, False])
def test_a_result_is_kept_only_if_it_helps(environment: Path, monkeypatch, helps: bool) -> None:
    gaps = iter([0.5, 0.4 if helps else 0.499])
    monkeypatch.setattr(Aligner, 'gap', lambda self, images: next(gaps))
    result = align_environment(environment, IMAGES, steps=1, device='cpu')
    assert result.accepted is helps
    assert result.revision == Environment.load(environment).latest_revision == int(helps)
    assert (result.frames_used, result.frames_held_out) == (9, 3)
    assert '0.5000' in result.reason and ('aligned' if helps else 'rolled back') in result.reason


def test_held_out_images_are_never_trained_on(environment: Path, monkeypatch) -> None:
    trained, judged = [], []
    monkeypatch.setattr(Aligner, 'step', lambda self, image: trained.append(image.numpy()[0]))
    monkeypatch.setattr(Aligner, 'gap', lambda self, images: judged.append(images.numpy()) or 0.5)
    align_environment(environment, IMAGES, steps=40, device='cpu')
    assert {image.tobytes() for image in trained} == {
        IMAGES[i].tobytes() for i in range(12) if i % 4 != 2
    }
    assert all(np.array_equal(images, IMAGES[2::4]) for images in judged) and len(judged) == 2


def test_time_is_kept(environment: Path, monkeypatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(alignment.time, 'monotonic', lambda: float(next(clock)))
    monkeypatch.setattr(Aligner, 'step', lambda self, image: None)
    monkeypatch.setattr(Aligner, 'gap', lambda self, images: 0.5)
    told = []
    align_environment(
        environment,
        IMAGES,
        seconds=20.0,
        steps=10_000,
        device='cpu',
        progress=lambda fraction, text: told.append(fraction),
    )
    assert 10 < len(told) < 30
    assert told == sorted(told) and told[0] == 0.0 and told[-1] == 1.0


def test_too_few_images_are_refused(environment: Path) -> None:
    with pytest.raises(TooFewImages, match='at least 8 images, and got 5'):
        align_environment(environment, IMAGES[:5], device='cpu')


def test_images_of_another_size_are_refused(environment: Path) -> None:
    with pytest.raises(ValueError, match='expected uint8 images'):
        align_environment(environment, IMAGES[:, ::2], device='cpu')


@pytest.mark.parametrize('count', [8, 12, 63, 64, 65, 500])
def test_judges_are_few_and_evenly_spread(count: int) -> None:
    judges = held_out_indices(count)
    assert len(judges) == min(count // 4, 16)
    gaps = judges.diff()
    assert 0 <= judges[0] and judges[-1] < count and gaps.max() - gaps.min() <= 1


def test_two_that_align_at_once_lose_nothing(environment: Path, monkeypatch) -> None:
    """Each builds on the revision that it was given, whatever the other stores meanwhile."""
    monkeypatch.setattr(Aligner, 'gap', lambda self, images: 0.5 - 0.1 * len(trained))
    trained = []

    def step(self: Aligner, image: torch.Tensor) -> None:
        trained.append(image)
        if len(trained) == 1:  # the other robot, from start to end
            trained.append(image)
            other = align_environment(environment, IMAGES, revision=0, steps=1, device='cpu')
            assert other.accepted and other.revision == 2

    base = Environment.load(environment)
    assert base.add_revision(base.load_aprnet(), {}) == 1
    monkeypatch.setattr(Aligner, 'step', step)
    ours = align_environment(environment, IMAGES, revision=1, steps=1, device='cpu')
    assert ours.accepted and ours.revision == 3
    manifests = sorted((environment / 'revisions').glob('*/revision.yaml'))
    aligned_from = [yaml.safe_load(path.read_text())['aligned_from'] for path in manifests]
    assert aligned_from == [0, 0, 1]
