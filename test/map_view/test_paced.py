"""Pictures get as fine as there is time for, and no finer."""

from pathlib import Path

import numpy as np
import pytest
from tiny_environment import circle_of_poses, photograph

from posemap_ros.environment import Environment
from posemap_ros.map_view.paced import PacedRenderer, next_fineness
from posemap_ros.map_view.rendering import MapRenderer

POSE = circle_of_poses(8)[1]


@pytest.mark.parametrize(
    'fineness, took, expected',
    [
        (1, 0.01, 2),  # finer step by step,
        (7, 0.001, 8),
        (8, 0.001, 8),  # to the finest;
        (4, 1.0, 4),  # as it is while it just fits;
        (4, 1.5, 3),
        (8, 16.0, 2),  # coarser at once: a quarter as fine takes a sixteenth,
        (2, 100.0, 1),  # to the coarsest.
    ],
)
def test_work_grows_with_the_square_of_the_fineness(
    fineness: int, took: float, expected: int
) -> None:
    assert next_fineness(fineness, took, seconds=1.0) == expected


def test_pictures_have_one_size_and_get_finer(environment: Path) -> None:
    loaded = Environment.load(environment)
    render = PacedRenderer(MapRenderer(loaded.load_nerf_p(), loaded.network_camera), seconds=1e9)
    photo = photograph(POSE)
    first, *_, last = (render(POSE, photo) for _ in range(4))
    size = (render.camera.height, render.camera.width, 3)
    assert size == (240, 320, 3)
    for pictures in (first, last):
        assert pictures.view.shape == pictures.posemap.shape == size
    # What was rendered with few rays is smooth from one pixel to the next.
    coarse, fine = (np.abs(np.diff(p.posemap.astype(int), axis=1)).max() for p in (first, last))
    assert fine > coarse
