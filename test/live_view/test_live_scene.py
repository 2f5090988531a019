"""What is logged can be read back: in its place, at its time, and gone when it is not known."""

from pathlib import Path

import numpy as np
import pytest

rr = pytest.importorskip('rerun')

from posemap_ros.live_view import paths  # noqa: E402
from posemap_ros.live_view.blueprint import blueprint  # noqa: E402
from posemap_ros.live_view.scene import Scene, by_height, jpeg, unbroken  # noqa: E402

SECOND = 10**9


class Recorded:
    """A scene that writes to a file, and what the file holds once it is closed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream = rr.new_recording('test')
        rr.save(file, default_blueprint=blueprint(), recording=self._stream)
        self.scene = Scene(self._stream)

    def column(self, path: str, component: str, *seconds: int) -> list:
        """What holds at each of these times."""
        rr.disconnect(recording=self._stream)
        recording = rr.dataframe.load_recording(self._file)
        view = recording.view(index=paths.TIMELINE, contents={path: [component]})
        times = np.array(seconds) * SECOND
        table = view.using_index_values(times).fill_latest_at().select().read_all()
        return table.column(f'{path}:{component}').to_pylist()


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / 'scene.rrd')


def at(x: float) -> np.ndarray:
    T = np.eye(4)
    T[0, 3] = x
    return T


def test_the_robot_is_where_it_was_last_heard_of_and_nowhere_while_lost(recorded: Recorded):
    scene = recorded.scene
    scene.pose(1 * SECOND, at(3.0), np.eye(6), at(0.2), 'localized')
    scene.no_pose(3 * SECOND)
    scene.pose(4 * SECOND, at(5.0), np.eye(6), None, 'localized')
    seen = recorded.column(paths.ROBOT, 'Translation3D', 0, 1, 2, 3, 4, 5)
    assert seen == [None, [[3, 0, 0]], [[3, 0, 0]], [], [[5, 0, 0]], [[5, 0, 0]]]


def test_the_ellipsoid_has_three_deviations_along_its_axes(recorded: Recorded):
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    covariance = np.eye(6)
    covariance[:3, :3] = turn @ np.diag([0.01, 0.04, 0.09]) @ turn.T
    recorded.scene.pose(SECOND, at(1.0), covariance, None, 'localized')
    [half_sizes] = recorded.column(paths.SPREAD, 'HalfSize3D', 1)
    np.testing.assert_allclose(half_sizes[0], 3 * np.array([0.1, 0.2, 0.3]), rtol=1e-5)


def test_the_trail_joins_a_pose_with_the_one_before_but_not_across_being_lost(
    recorded: Recorded,
):
    scene = recorded.scene
    for second, x in ((1, 0.0), (2, 1.0)):
        scene.pose(second * SECOND, at(x), np.eye(6), None, 'localized')
    scene.no_pose(3 * SECOND)
    scene.pose(4 * SECOND, at(9.0), np.eye(6), None, 'localized')
    before, after = recorded.column(paths.TRAIL, 'LineStrip3D', 2, 4)
    assert before == after == [[[0, 0, 0], [1, 0, 0]]]  # no step to there


def test_news_come_newest_first_and_stand_out_where_they_warn(recorded: Recorded):
    recorded.scene.say(SECOND, paths.STATE_LOG, 'localized')
    recorded.scene.say(2 * SECOND, paths.NODE_LOG, 'fix rejected', 'WARN')
    [[news]] = recorded.column(paths.NEWS, 'Text', 2)
    first, second = news.splitlines()
    assert first.endswith('node: **fix rejected**') and second.endswith('state: localized')


def test_a_path_is_broken_where_the_camera_was_carried():
    x = np.r_[0.0, 0.1, 0.2, 0.3, 5.0, 5.1]
    positions = np.stack([x, 0 * x, 0 * x], axis=1)
    first, second = unbroken(positions)
    np.testing.assert_array_equal(first, positions[:4])
    np.testing.assert_array_equal(second, positions[4:])


@pytest.mark.parametrize('count', [0, 1, 5])
def test_a_path_that_goes_nowhere_is_whole(count: int):
    [only] = unbroken(np.zeros((count, 3)))
    assert len(only) == count


def test_height_is_a_colour_and_a_stray_does_not_take_it_all():
    z = np.linspace(0, 1, 200)
    points = np.stack([0 * z, 0 * z, z], axis=1)
    points[0, 2] = -1000.0
    colours = by_height(points).astype(int)
    low, high = colours[10], colours[-10]
    assert low[2] > low[0] and high[0] > high[2]
    assert len(by_height(np.empty((0, 3)))) == 0


def test_pictures_keep_their_colours():
    import cv2

    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    back = cv2.imdecode(np.frombuffer(jpeg(red), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(back.astype(int) - red).max() < 8
