"""Depths of a whole drive: found once, kept, and found again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from textured_room import CAMERA, drive, render, write_room

from posemap_ros.scene_extent import SeenPoints, triangulate_seen_points
from posemap_ros.stereo.photo_depths import measure_depths, usual_depths
from posemap_ros.support.blocks import InvalidBlock

GRID = CAMERA.resized(60, 45)


def test_depths_of_a_drive_are_those_of_the_room_and_are_kept(tmp_path: Path) -> None:
    dataset = write_room(tmp_path / 'data', drive(24))
    seen = triangulate_seen_points(dataset)
    (work := tmp_path / 'work').mkdir()
    found = measure_depths(dataset, GRID, seen, work)
    assert found.depth.shape == found.sigma.shape == (24, 45, 60)
    true = torch.from_numpy(np.stack([render(T, GRID)[1] for T in dataset.poses]))
    known = found.depth > 0
    assert known.float().mean() > 0.5
    # A ray that is parallel to a wall has no depth there by the room's formula.
    assert ((found.depth - true).abs() / true)[known].nanmedian() < 0.02

    kept = {path: path.stat().st_mtime_ns for path in work.iterdir()}
    again = measure_depths(dataset, GRID, seen, work)
    assert torch.equal(again.depth, found.depth) and torch.equal(again.sigma, found.sigma)
    assert {path: path.stat().st_mtime_ns for path in work.iterdir()} == kept
    next(iter(kept)).write_bytes(b'cut')
    with pytest.raises(InvalidBlock, match='remove it'):
        measure_depths(dataset, GRID, seen, work)


def test_without_points_nothing_is_known(tmp_path: Path) -> None:
    dataset = write_room(tmp_path / 'data', drive(4))
    nothing = SeenPoints(np.empty((0, 3)), np.empty(0))
    found = measure_depths(dataset, GRID, nothing, tmp_path)
    assert found.depth.shape == (4, 45, 60) and not found.depth.any()


def test_usual_depths_are_of_what_a_photo_shows() -> None:
    """Forty points 2 m before the first camera, and a few behind it, which is where the second
    looks: too few to tell, so all are asked.
    """
    rng = np.random.default_rng(0)
    before = np.column_stack([rng.uniform(-0.5, 0.5, (40, 2)), np.full(40, 2.0)])
    behind = np.column_stack([rng.uniform(-0.5, 0.5, (5, 2)), np.full(5, -4.0)])
    seen = SeenPoints(np.concatenate([before, behind]), np.repeat([2.0, 4.0], [40, 5]))
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, :3, :3] = np.diag([-1.0, 1.0, -1.0])
    assert usual_depths(seen, poses, CAMERA).tolist() == [2.0, 2.0]
