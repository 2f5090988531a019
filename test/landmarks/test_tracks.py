import numpy as np

from posemap_ros.landmarks.tracks import join_tracks


def test_matches_join_keypoints_into_tracks():
    photo = np.array([0, 0, 1, 1, 2, 2])
    matches = np.array([[0, 2], [2, 4], [1, 5]])
    track = join_tracks(6, photo, matches, np.zeros(3))
    assert track[0] == track[2] == track[4]
    assert track[1] == track[5]
    assert sorted(set(track.tolist())) == [0, 1, 2]  # keypoint 3 is on its own


def test_no_track_has_two_keypoints_of_one_photo():
    """The match that looks worst is the wrong one."""
    photo = np.array([0, 0, 1, 2])
    matches = np.array([[0, 2], [2, 3], [3, 1]])  # 0 and 1 are of the same photo
    track = join_tracks(4, photo, matches, np.array([0.1, 0.2, 0.3]))
    assert track[0] == track[2] == track[3] != track[1]
    track = join_tracks(4, photo, matches, np.array([0.3, 0.2, 0.1]))
    assert track[1] == track[2] == track[3] != track[0]


def test_tracks_never_see_a_photo_twice_whatever_is_matched():
    rng = np.random.default_rng(0)
    photo = np.repeat(np.arange(10), 20)
    matches = rng.integers(0, 200, (600, 2))
    track = join_tracks(200, photo, matches, rng.uniform(size=600))
    seen = np.stack([track, photo], axis=1)
    assert len(np.unique(seen, axis=0)) == 200
    assert track.max() < 100  # most were joined


def test_without_matches_each_keypoint_is_on_its_own():
    track = join_tracks(3, np.array([0, 1, 2]), np.empty((0, 2), int), np.empty(0))
    assert track.tolist() == [0, 1, 2]
