"""Which photos are compared for depth."""

import numpy as np
from textured_room import drive

from posemap_ros.camera import Camera
from posemap_ros.landmarks.photo_pairs import in_common
from posemap_ros.rigid import invert
from posemap_ros.stereo import partners
from posemap_ros.stereo.partners import choose_partners

CAMERA = Camera(240, 180, 190.0, 190.0, 120.0, 90.0)


def row(*positions: float) -> np.ndarray:
    """Cameras side by side that look the same way."""
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, 0, 3] = positions
    return poses


def test_partners_stand_aside_by_angles_that_tell_depth() -> None:
    # At 3 m, 0.105 m aside is 2 degrees, 0.21 m is 4, and 0.37 m is 7.
    poses = row(0.0, 0.02, 0.105, 0.21, 0.37, 2.0)
    assert choose_partners(poses, CAMERA, np.full(6, 3.0))[0] == [2, 3, 4]


def test_the_farther_things_are_the_farther_are_the_partners() -> None:
    poses = row(0.0, 0.105, 0.21, 0.37, 0.42, 0.74)
    near, far = (choose_partners(poses, CAMERA, np.full(6, d))[0] for d in (3.0, 6.0))
    assert near == [1, 2, 3]
    assert 1 not in far and 2 in far and 5 in far


def test_who_looks_elsewhere_or_stands_at_the_same_place_is_no_partner() -> None:
    poses = row(0.0, 0.0, 0.2)
    poses[2, :3, :3] = np.diag([-1.0, 1.0, -1.0])  # turned round
    assert choose_partners(poses, CAMERA, np.full(3, 3.0)) == [[], [], []]


def among_all(poses: np.ndarray, depths: np.ndarray) -> list[list[int]]:
    """By looking at all photos."""
    u, v = np.meshgrid((np.arange(8) + 0.5) / 8 * 240, (np.arange(6) + 0.5) / 6 * 180)
    rays = np.stack([(u - 120) / 190, (v - 90) / 190, np.ones_like(u)], axis=-1).reshape(-1, 3)
    found = []
    for photo, (T, depth) in enumerate(zip(poses, depths)):
        points = depth * rays @ T[:3, :3].T + T[:3, 3]
        overlap, parallax = in_common(photo, points, poses, invert(poses), CAMERA)
        chosen: list[int] = []
        for wanted in (2.0, 4.0, 7.0):
            fits = (overlap >= 0.5) & (parallax > 0.6 * wanted) & (parallax < 1.6 * wanted)
            fits[chosen] = False
            if fits.any():
                chosen.append(int(np.where(fits, overlap, 0.0).argmax()))
        found.append(chosen)
    return found


def test_the_nearest_places_are_enough(monkeypatch) -> None:
    """None is missed where there are few; of many, as few are looked at, and hardly one is."""
    poses = drive(150)
    poses[:20, :3, 3] = poses[0, :3, 3]  # it stood
    depths = np.random.default_rng(0).uniform(0.5, 3.0, 150)
    everywhere = among_all(poses, depths)
    assert choose_partners(poses, CAMERA, depths) == everywhere
    looked_at = []

    def counting(photo, points, T_world_cam, *more):
        looked_at.append(len(T_world_cam))
        return in_common(photo, points, T_world_cam, *more)

    monkeypatch.setattr(partners, 'in_common', counting)
    monkeypatch.setattr(partners, '_NEAREST', 60)
    some = choose_partners(poses, CAMERA, depths)
    assert max(looked_at) == 61
    same = np.mean([a == b for a, b in zip(some, everywhere)])
    assert same > 0.5
    assert sum(map(len, some)) > 0.9 * sum(map(len, everywhere))
