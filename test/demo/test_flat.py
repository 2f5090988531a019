"""The flat: its drives stay clear of every surface, and walls are open only at the doorways."""

import numpy as np
import pytest
from nearness import to_nearest

from demo.drives import STEP_S, camera_poses, true_motion
from demo.flat import (
    DOORWAYS,
    LATER,
    MAPPING,
    ROOMS,
    SURFACES,
    WALL,
    later_flat,
    mapped_flat,
    walls,
)
from demo.scene import DOOR_HEIGHT, DOOR_WIDTH

FLATS = {MAPPING: mapped_flat, LATER: later_flat}
ROBOT_RADIUS_M, HEIGHTS_M = 0.15, (0.1, 0.4, 0.75)


def hits(segments, things):
    """Names of the things of which a surface cuts a segment [N, 2, 3] (Moeller and Trumbore)."""
    found = set()
    for name, thing in things.items():
        for mesh, _ in thing.placed():
            near = (
                (segments.max(axis=1) >= mesh.vertices.min(axis=0))
                & (segments.min(axis=1) <= mesh.vertices.max(axis=0))
            ).all(axis=1)
            start, along = segments[near, :1], np.diff(segments[near], axis=1)
            corner, *others = mesh.vertices[mesh.faces].swapaxes(0, 1)
            a, b = (other - corner for other in others)
            cross = np.cross(along, b)
            volume = (a * cross).sum(axis=-1)
            scale = 1 / np.where(np.abs(volume) > 1e-12, volume, np.nan)  # nan: they are parallel
            turned = np.cross(start - corner, a)
            u = scale * ((start - corner) * cross).sum(axis=-1)
            v = scale * (along * turned).sum(axis=-1)
            t = scale * (b * turned).sum(axis=-1)
            if ((u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)).any():
                found.add(name)
    return found


def at_heights(points):
    """Floor points [..., 2] at each height of the robot [H, ..., 3]."""
    return np.stack([np.insert(points, 2, z, axis=-1) for z in HEIGHTS_M])


@pytest.mark.parametrize('drive', FLATS)
def test_the_robot_passes_through_nothing_and_keeps_clear_of_everything(drive):
    path = true_motion(drive)[::25, 1:3]
    steps = np.stack([path[:-1], path[1:]], axis=1)
    angle = np.arange(0, 2 * np.pi, np.pi / 6)
    spokes = ROBOT_RADIUS_M * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    around = np.stack([path[:, None] + 0 * spokes, path[:, None] + spokes], axis=2)
    segments = np.concatenate([steps, around.reshape(-1, 2, 2)])
    assert hits(at_heights(segments).reshape(-1, 2, 3), FLATS[drive]()) == set()


@pytest.mark.parametrize('name', ROOMS)
def test_walls_are_closed_beside_and_above_a_doorway(name):
    room, shell = ROOMS[name], {name: walls(name)}
    for door_x, door_y in DOORWAYS:
        if min(abs(door_y - room.north), abs(door_y - room.south)) > WALL:
            continue
        for shift, z, closed in (
            (0, 1.0, False),
            (-0.45, 1.0, False),
            (0.45, 1.0, False),
            (-0.5, 1.0, True),
            (0.5, 1.0, True),
            (0, DOOR_HEIGHT - 0.02, False),
            (0, DOOR_HEIGHT + 0.02, True),
        ):
            through = np.array([[[door_x + shift, door_y + d, z] for d in (-0.3, 0.3)]])
            assert bool(hits(through, shell)) == closed, (shift, z)
    x, y = room.middle
    for end in ((x - 5, y, 1), (x + 5, y, 1), (x, y - 5, 1), (x, y + 5, 1), (x, y, -1), (x, y, 3)):
        assert hits(np.array([[(x, y, 1.3), end]]), shell), end


@pytest.mark.parametrize('drive', FLATS)
def test_every_room_is_visited_and_entered_by_its_doorway(drive):
    x, y, heading = true_motion(drive)[:, 1:4].T
    for name, room in ROOMS.items():
        inside = (x > room.west) & (x < room.east) & (y > room.south) & (y < room.north)
        seen = np.unique(np.floor(heading[inside] / (np.pi / 2)) % 4)
        assert inside.sum() * STEP_S > 5 and len(seen) >= (4 if drive is MAPPING else 2), name
    for door_x, door_y in DOORWAYS:
        passing = np.abs(y - door_y) < WALL / 2
        assert passing.any()
        assert np.abs(x[passing] - door_x).max() < DOOR_WIDTH / 2 - ROBOT_RADIUS_M


def test_the_later_walk_stays_near_what_was_mapped():
    metres, degrees = to_nearest(camera_poses(LATER), camera_poses(MAPPING))
    assert metres.max() < 0.5 and degrees.max() < 30
    assert np.median(metres) > 0.05, 'it should not be the same path'


@pytest.mark.parametrize('name', ROOMS)
def test_a_wall_with_a_doorway_keeps_its_texture_at_scale(name):
    """Wherever it is cut: metres along the wall, of those that its texture was drawn for."""
    for mesh, material in walls(name).parts:
        if material in SURFACES:
            size = [SURFACES[material].keywords[key] for key in ('width_m', 'height_m')]
            for face in mesh.faces:
                for k in (1, 2):
                    metres = np.linalg.norm(mesh.vertices[face[k]] - mesh.vertices[face[0]])
                    drawn = (mesh.uv[face[k]] - mesh.uv[face[0]]) * size
                    assert np.linalg.norm(drawn) == pytest.approx(metres), material
