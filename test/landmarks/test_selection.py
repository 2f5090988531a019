import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.landmarks.selection import choose_landmarks

CAMERA = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)


def crowd(count=2000, photos=5, seed=0):
    """Landmarks that are each seen by two photos; most of them in one corner."""
    rng = np.random.default_rng(seed)
    landmark = np.repeat(np.arange(count), 2)
    photo = np.concatenate([rng.choice(photos, 2, replace=False) for _ in range(count)])
    pixels = rng.uniform(0, 1, (2 * count, 2)) ** 4 * (320, 240)
    return rng.uniform(size=count), np.zeros(count, bool), landmark, photo, pixels


def test_no_more_than_the_budget():
    quality, *seen = crowd()
    kept = choose_landmarks(quality, *seen, CAMERA, budget=300, per_cell=50)
    assert len(kept) == len(np.unique(kept)) == 300
    assert (np.diff(kept) > 0).all()


def test_each_part_of_each_photo_keeps_its_best():
    quality, lone, landmark, photo, pixels = crowd()
    kept = choose_landmarks(quality, lone, landmark, photo, pixels, CAMERA, 10**6, per_cell=3)
    cell = photo * 48 + (pixels[:, 1] // 40).astype(int) * 8 + (pixels[:, 0] // 40).astype(int)
    for c in np.unique(cell):
        here = np.unique(landmark[cell == c])
        best = here[np.argsort(-quality[here])[:3]]
        assert np.isin(best, kept).all()


def test_a_photo_held_upright_has_the_same_parts():
    quality, lone, landmark, photo, pixels = crowd()
    upright = Camera(240, 320, 205.0, 205.0, 120.0, 160.0)
    budget = {'budget': 300, 'per_cell': 3}
    kept = choose_landmarks(quality, lone, landmark, photo, pixels, CAMERA, **budget)
    turned = choose_landmarks(quality, lone, landmark, photo, pixels[:, ::-1], upright, **budget)
    np.testing.assert_array_equal(turned, kept)


def in_one_cell(quality, lone):
    count = len(quality)
    seen = np.arange(count), np.zeros(count, int), np.full((count, 2), 10.0)
    return np.array(quality), np.array(lone), *seen, CAMERA


def test_what_no_cell_needs_is_left_out():
    seen = in_one_cell([0.1, 0.9, 0.5], [False] * 3)
    assert choose_landmarks(*seen, 10, per_cell=1).tolist() == [1]
    assert choose_landmarks(*seen, 10, per_cell=2).tolist() == [1, 2]
    assert choose_landmarks(*seen, 1, per_cell=2).tolist() == [1]


def test_lone_ones_serve_only_where_there_is_little_else():
    crowded = in_one_cell([0.1, 0.2, 3.0, 2.0], [True, True, False, False])
    assert choose_landmarks(*crowded, 10, per_cell=8).tolist() == [2, 3]
    bare = in_one_cell([0.1, 0.2, 0.3, 2.0], [True, True, True, False])
    assert choose_landmarks(*bare, 10, per_cell=8).tolist() == [2, 3]
