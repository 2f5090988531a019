"""The command line: what it adds to an environment, and what it leaves alone."""

import pytest
import textured_room
from tiny_environment import make_tiny_environment

from posemap_ros.building import landmarks
from posemap_ros.environment import Environment
from posemap_ros.landmarks.keypoints import Sift
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.verification.calibration import Calibration
from training.map_landmarks import main


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('room') / 'data'
    return textured_room.write_room(root, textured_room.drive(20)).root


@pytest.fixture
def room(tmp_path):
    """An environment that nobody trained: NeRF-P's depths are worth nothing."""
    return make_tiny_environment(tmp_path / 'room')


def arguments(room, data):
    return ['--environment', str(room), '--data', str(data), '--device', 'cpu']


def test_an_environment_gets_landmarks_and_nothing_stays_behind(room, data, capsys):
    assert Environment.load(room).landmarks is None
    assert main(arguments(room, data)) == 0
    environment = Environment.load(room)
    landmarks = LandmarkMap.load(environment.landmarks)
    assert Calibration.from_dict(environment.verification).support_agreeing > 0
    assert len(environment.verification) == 6
    assert len(landmarks.T_world_cam) == 20
    assert f'{len(landmarks)} landmarks' in capsys.readouterr().out
    assert [path.name for path in room.parent.iterdir()] == ['room']


def test_stopped_it_goes_on(room, data, monkeypatch, capsys):
    before = sorted(path.name for path in room.iterdir())
    detect, count = Sift.detect, []

    def stops(self, *given, **more):
        count.append(1)
        if len(count) == 18:
            raise KeyboardInterrupt
        return detect(self, *given, **more)

    monkeypatch.setattr(Sift, 'detect', stops)
    monkeypatch.setattr(landmarks, 'calibrate', lambda *given: Calibration())
    assert main(arguments(room, data)) == 130
    assert 'goes on from here' in capsys.readouterr().err
    assert sorted(path.name for path in room.iterdir()) == before
    assert main(arguments(room, data)) == 0
    assert len(count) == 18 + 4  # those of the first block were kept
    assert Environment.load(room).landmarks is not None


def test_photos_without_anything_in_common_leave_it_as_it_was(room, tmp_path, capsys):
    apart = textured_room.write_room(tmp_path / 'apart', textured_room.drive(40)[::30]).root
    assert main(arguments(room, apart)) == 0
    assert 'no landmarks' in capsys.readouterr().out
    assert Environment.load(room).landmarks is None


def test_a_recipe_without_landmarks_asks_for_another(room, data, tmp_path, capsys):
    (tmp_path / 'none.yaml').write_text('landmarks: {photos: 0}')
    assert main([*arguments(room, data), '--recipe', str(tmp_path / 'none.yaml')]) == 1
    assert 'wants no landmarks' in capsys.readouterr().err
    assert main([*arguments(room, data), '--recipe', 'fast']) == 0
    assert Environment.load(room).landmarks is not None


def test_a_missing_environment_is_one_sentence(data, tmp_path, capsys):
    assert main(arguments(tmp_path / 'none', data)) == 1
    assert capsys.readouterr().err.count('\n') == 1
