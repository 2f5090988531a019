"""From an environment and images of today to a new revision, or none."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_environment import RECIPE, circle_of_poses, make_tiny_dataset

from posemap_ros.alignment import align as align_module
from posemap_ros.alignment.align import TooFewImages, align, align_environment
from posemap_ros.alignment.judge import Change, PoseErrors
from posemap_ros.alignment.self_supervised import SelfSupervisedAligner
from posemap_ros.alignment.sightings import Sightings
from posemap_ros.dataset import PosedImages, open_dataset
from posemap_ros.environment import Environment


@pytest.fixture(scope='module')
def frames(tmp_path_factory: pytest.TempPathFactory) -> PosedImages:
    return open_dataset(make_tiny_dataset(tmp_path_factory.mktemp('today') / 'data', 12))


def gaps_of(*values: float):
    """In place of measuring: what is measured one time after the other."""
    measured = iter(values)
    return lambda self, images: torch.full((len(images),), next(measured))


@pytest.mark.parametrize('helps', [True, False])
def test_a_result_is_kept_only_if_it_helps(environment, frames, monkeypatch, helps: bool) -> None:
    monkeypatch.setattr(SelfSupervisedAligner, 'gaps', gaps_of(0.5, 0.4 if helps else 0.499))
    result = align_environment(environment, frames, steps=1, device='cpu')
    assert result.accepted is helps
    assert result.revision == Environment.load(environment).revision == int(helps)
    assert result.frames_held_out == 2 and result.frames_used >= 6 and not result.frames_verified
    share = '20.0 % better than before' if helps else '0.2 % better than before'
    assert result.reason.startswith('aligned' if helps else 'rolled back')
    assert f'2 held-out images fit the views of the map {share}' in result.reason


def test_held_out_images_are_never_trained_on(environment, frames, monkeypatch) -> None:
    trained, judged = set(), []
    monkeypatch.setattr(
        SelfSupervisedAligner, 'learn', lambda self, image: trained.add(image.numpy().tobytes())
    )

    def gaps(self: SelfSupervisedAligner, images: torch.Tensor) -> torch.Tensor:
        judged.append({image.numpy().tobytes() for image in images})
        return torch.full((len(images),), 0.5)

    monkeypatch.setattr(SelfSupervisedAligner, 'gaps', gaps)
    result = align_environment(environment, frames, steps=40, device='cpu')
    assert len(trained) == result.frames_used
    assert judged[0] == judged[1] and not judged[0] & trained


def test_time_is_kept(environment, frames, monkeypatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(align_module.time, 'monotonic', lambda: float(next(clock)))
    monkeypatch.setattr(SelfSupervisedAligner, 'learn', lambda self, image: None)
    monkeypatch.setattr(SelfSupervisedAligner, 'gaps', gaps_of(0.5, 0.5))
    told = []
    align_environment(
        environment,
        frames,
        seconds=40.0,
        steps=10_000,
        device='cpu',
        progress=lambda fraction, text: told.append(fraction),
    )
    assert 30 < len(told) < 60
    assert told == sorted(told) and told[0] == 0.0 and told[-1] == 1.0


def test_too_few_images_are_refused(environment, frames) -> None:
    few = PosedImages(frames.root, frames.camera, frames.frames[:5])
    with pytest.raises(TooFewImages, match='at least 8 images, and got 5'):
        align_environment(environment, few, device='cpu')


def test_two_that_align_at_once_lose_nothing(environment, frames, monkeypatch) -> None:
    """Each builds on the revision that it was given, whatever the other stores meanwhile."""
    trained = []

    def learn(self: SelfSupervisedAligner, image: torch.Tensor) -> None:
        trained.append(image)
        if len(trained) == 1:  # the other robot, from start to end
            trained.append(image)
            other = align_environment(environment, frames, revision=0, steps=1, device='cpu')
            assert other.accepted and other.revision == 2

    monkeypatch.setattr(SelfSupervisedAligner, 'gaps', gaps_of(0.5, 0.5, 0.4, 0.4))
    base = Environment.load(environment)
    assert base.add_revision(base.load_aprnet(), {}) == 1
    monkeypatch.setattr(SelfSupervisedAligner, 'learn', learn)
    ours = align_environment(environment, frames, revision=1, steps=1, device='cpu')
    assert ours.accepted and ours.revision == 3
    manifests = sorted((environment / 'revisions').glob('*/revision.yaml'))
    aligned_from = [yaml.safe_load(path.read_text())['aligned_from'] for path in manifests]
    assert aligned_from == [0, 0, 1]


def sightings_of(frames: PosedImages, verified: bool) -> Sightings:
    count = len(frames)
    return Sightings(
        np.stack([frames.load(i) for i in range(count)]),
        frames.poses,
        np.full(count, verified),
        np.zeros((count, 4), np.float32),
        np.tile(1e-4 * np.eye(6), (count, 1, 1)),
    )


def test_labels_teach_poses(environment: Path, frames: PosedImages) -> None:
    """An untrained network learns frames that it has labels for, and views of the rest of the map;
    the network given stays as it is.
    """
    loaded = Environment.load(environment)
    net, nerf = loaded.load_aprnet(), loaded.load_nerf_p()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    sightings = sightings_of(frames, verified=True)
    mapped = torch.from_numpy(circle_of_poses(80)).float()
    outcome = align(net, nerf, sightings, mapped, RECIPE, steps=60)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    moved = {k for k, v in outcome.net.state_dict().items() if not torch.equal(v, before[k])}
    assert not any(k.startswith('adapters') or 'running' in k for k in moved)
    learned = Change(*(PoseErrors.of(n, sightings.photos) for n in (net, outcome.net)))
    assert learned.is_better and outcome.map_views.is_better
    assert len(outcome.held_out) == 2 and len(outcome.map_views) == 32


def test_a_corner_teaches_the_network_nothing(environment: Path, frames: PosedImages) -> None:
    """It is one for all of the map, and nobody knows how the rest looks today."""
    loaded = Environment.load(environment)
    corner = sightings_of(frames, verified=True)
    corner.T_map_cam[:] = circle_of_poses(120)[:12]
    mapped = torch.from_numpy(circle_of_poses(120)).float()
    net = loaded.load_aprnet()
    outcome = align(net, loaded.load_nerf_p(), corner, mapped, RECIPE, steps=1)
    assert 'only' in outcome.objection and '% of the map' in outcome.objection
    assert outcome.net is net and outcome.figures == ''
