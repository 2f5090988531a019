"""Network and landmarks change together, or not at all."""

from pathlib import Path

import pytest
from mapped_room import map_room
from tiny_environment import circle_of_poses

from posemap_ros.environment import Environment
from posemap_ros.localizer import Localizer
from posemap_ros.manifest import InvalidEnvironment
from posemap_ros.node.revision_in_use import RevisionInUse
from posemap_ros.verification.calibration import Calibration


@pytest.fixture
def mapped(environment: Path) -> Environment:
    """Landmarks of one view, to which the first revision adds those of another."""
    poses = circle_of_poses(2)
    base = Environment.load(environment)
    base.add_landmarks(map_room(poses[:1]).to_bytes(), Calibration().to_dict())
    base = Environment.load(environment)
    assert base.add_revision(base.load_aprnet(), {}, map_room(poses[1:]).to_bytes()) == 1
    return base


def test_landmarks_of_today_come_and_go_with_their_revision(mapped: Environment) -> None:
    in_use = RevisionInUse(Localizer(mapped.path, 'cpu', 0), wants_landmarks=True)
    landmarks = len(in_use.verifier.landmarks)
    in_use.load(1)
    assert in_use.localizer.revision == 1
    assert len(in_use.verifier.landmarks) > landmarks
    in_use.load(0)
    assert in_use.localizer.revision == 0
    assert len(in_use.verifier.landmarks) == landmarks


def test_a_revision_with_damaged_landmarks_is_not_used(mapped: Environment) -> None:
    in_use = RevisionInUse(Localizer(mapped.path, 'cpu', 0), wants_landmarks=True)
    before = in_use.verifier
    Environment.load(mapped.path, 1).todays_landmarks.write_bytes(b'nothing')
    with pytest.raises(InvalidEnvironment):
        in_use.load(1)
    assert in_use.localizer.revision == 0
    assert in_use.verifier is before


def test_landmarks_can_be_unwanted(mapped: Environment) -> None:
    assert RevisionInUse(Localizer(mapped.path, 'cpu'), wants_landmarks=False).verifier is None
