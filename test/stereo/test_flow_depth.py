"""Depth by optical flow, in a room whose every depth is known."""

import cv2
import numpy as np
import pytest
from textured_room import CAMERA, drive, render

from posemap_ros.rigid import relative_poses
from posemap_ros.stereo.flow_depth import DepthByFlow

GRID = CAMERA.resized(60, 45)
POSES = drive(30)
PHOTO, ASIDE = 12, (7, 9, 16)


def grey(T: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(render(T)[0], cv2.COLOR_RGB2GRAY)


def find(others: list[np.ndarray], poses: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    seen_from = [relative_poses(pose, POSES[PHOTO]) for pose in poses]
    return DepthByFlow(CAMERA, GRID)(grey(POSES[PHOTO]), others, seen_from)


def test_depths_are_those_of_the_room_and_know_how_sure_they_are() -> None:
    depths, sigmas = find([grey(POSES[i]) for i in ASIDE], [POSES[i] for i in ASIDE])
    true = render(POSES[PHOTO], GRID)[1]
    known = depths > 0
    assert known.mean() > 0.3
    assert np.array_equal(known, sigmas > 0)
    off = np.abs(depths - true)[known]
    assert np.median(off / true[known]) < 0.02
    assert (off < 3 * sigmas[known] + 0.05 * true[known]).mean() > 0.8
    unsure = sigmas[known] > np.median(sigmas[known])
    assert np.median(off[unsure]) > np.median(off[~unsure])


def test_a_wrong_pose_gives_no_depths() -> None:
    wrong = [POSES[i].copy() for i in ASIDE]
    for pose in wrong:
        pose[:3, :3] = pose[:3, :3] @ cv2.Rodrigues(np.array([0.1, 0.0, 0.0]))[0]
    depths, _ = find([grey(POSES[i]) for i in ASIDE], wrong)
    assert (depths > 0).mean() < 0.02


def test_one_other_photo_is_not_believed() -> None:
    depths, sigmas = find([grey(POSES[ASIDE[0]])], [POSES[ASIDE[0]]])
    assert not depths.any() and not sigmas.any()


def test_what_moved_in_between_is_not_believed() -> None:
    """Something that is elsewhere in each other photo."""
    others = [grey(POSES[i]) for i in ASIDE]
    for shift, image in zip((-30, 20, 40), others):
        thing = np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)
        image[60:120, 90 + shift : 150 + shift] = cv2.GaussianBlur(thing, (0, 0), 2)
    depths, _ = find(others, [POSES[i] for i in ASIDE])
    true = render(POSES[PHOTO], GRID)[1]
    known = depths > 0
    assert np.median(np.abs(depths - true)[known] / true[known]) < 0.02


@pytest.mark.parametrize('axis', range(3))
def test_a_turned_image_is_what_the_turned_camera_sees(axis: int) -> None:
    """The other photo, turned to look the same way, is a photo from there that looks so."""
    find_depths = DepthByFlow(CAMERA, GRID)
    turn = cv2.Rodrigues(0.15 * np.eye(3)[axis])[0]
    turned = POSES[PHOTO].copy()
    turned[:3, :3] = turned[:3, :3] @ turn
    straight, inside = find_depths._turn(grey(turned), turn)
    difference = np.abs(straight.astype(float) - grey(POSES[PHOTO]))[inside > 0]
    assert 0.5 < inside.mean() < 1.0
    assert np.median(difference) < 6.0
