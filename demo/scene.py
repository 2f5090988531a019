"""The demo's room as data: where everything stands, and what has changed by the later drive.

The map frame has its origin on the floor in the middle of the room, x east, y north, z up,
metres. Things face -y (south) before they are turned by their yaw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import textures
from .furniture import (
    BLACK,
    STEEL,
    WHITE,
    Parts,
    books,
    bookshelf,
    carton,
    chair,
    clock,
    coats,
    desk,
    door,
    floor_lamp,
    framed,
    globe,
    plant,
    shifted,
    sideboard,
    sofa,
    table,
    vase,
    window,
)
from .shapes import box, grid, panel, pierced, sheet

ROOM_X, ROOM_Y, ROOM_Z = 6.0, 5.0, 2.6
DOOR_WIDTH, DOOR_HEIGHT = 0.95, 2.05
CEILING_LIGHTS = ((-1.1, 0.0), (0.85, 0.0))

Textures = dict[str, Callable[[np.random.Generator], np.ndarray]]


@dataclass(frozen=True)
class Light:
    """How the place is lit: radiance (red, green, blue) of each source; exposure of the camera."""

    window: tuple[float, float, float]
    ceiling: tuple[float, float, float]
    lamp: tuple[float, float, float]
    exposure: float


DAY = Light(window=(11.0, 11.5, 12.0), ceiling=(5.0, 4.9, 4.6), lamp=(2.0, 1.6, 1.1), exposure=2.4)
EVENING = Light(
    window=(4.0, 4.4, 6.0), ceiling=(5.8, 4.7, 3.4), lamp=(14.0, 9.5, 5.2), exposure=2.2
)


@dataclass(frozen=True)
class Thing:
    """Something in the room, at a place and turned about the vertical (degrees)."""

    parts: Parts
    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0

    def placed(self) -> Parts:
        return [(mesh.moved(self.x, self.y, self.z, self.yaw), m) for mesh, m in self.parts]


def shell(
    x=ROOM_X,
    y=ROOM_Y,
    lights=CEILING_LIGHTS,
    beams=(-2, -0.2, 1.9),
    doorways: dict[str, float] | None = None,
    name='',
) -> Parts:
    """Floor, walls and ceiling of a room of x by y metres, each surface with its own texture.

    Args:
        lights: where they hang, from the room's middle.
        beams: where they cross the ceiling from south to north.
        doorways: of a wall ('north', ...): how far east or north of its middle it has one.
        name: put before the textures' names, where a place has several rooms.
    """
    v, u = grid(2, 2)
    ground = sheet(np.stack([(u - 0.5) * x, (v - 0.5) * y, 0 * u], -1), np.stack([u, v], -1))
    parts, skirting = [(ground, name + 'floor'), (ground.moved(z=ROOM_Z), name + 'ceiling')], []
    for side, wall_x, wall_y, yaw, length in (
        ('north', 0, y / 2, 0, x),
        ('south', 0, -y / 2, 180, x),
        ('east', x / 2, 0, -90, y),
        ('west', -x / 2, 0, 90, y),
    ):
        ends = [-length / 2, length / 2]
        wall = panel(length, ROOM_Z)
        if side in (doorways or {}):
            middle = doorways[side] * (1 if side in ('north', 'west') else -1)
            wall = pierced(length, ROOM_Z, middle, DOOR_WIDTH, DOOR_HEIGHT)
            ends[1:1] = [middle - DOOR_WIDTH / 2, middle + DOOR_WIDTH / 2]
        parts.append((wall.moved(wall_x, wall_y, ROOM_Z / 2, yaw), name + side))
        skirting += [
            (box(b - a, 0.03, 0.1).moved((a + b) / 2).moved(wall_x, wall_y, yaw=yaw), 'walnut')
            for a, b in zip(ends[::2], ends[1::2])
        ]
    parts += skirting
    parts += [(box(0.14, y, 0.12).moved(beam, 0, ROOM_Z - 0.12), 'oak') for beam in beams]
    parts += [(box(0.9, 0.9, 0.03).moved(lx, ly, ROOM_Z - 0.03), WHITE) for lx, ly in lights]
    parts += [
        (panel(0.8, 0.8).moved(roll=90).moved(lx, ly, ROOM_Z - 0.035), 'ceiling light')
        for lx, ly in lights
    ]
    return parts


def mapped_room() -> dict[str, Thing]:
    """The room on the day it is mapped."""
    rng = np.random.default_rng(5)
    north, south, east, west = ROOM_Y / 2, -ROOM_Y / 2, ROOM_X / 2, -ROOM_X / 2
    room = {
        'shell': Thing(shell(), 0, 0),
        'window': Thing(window(), 0.5, north, 1.6),
        'door': Thing(door(), -2.1, south, yaw=180),
        'rug': Thing([(box(2.6, 1.9, 0.012, fit=True), 'rug')], -0.2, 0.1, yaw=3),
        'table': Thing(table(), -0.2, 0.15, yaw=4),
        'chair north': Thing(chair(), -0.4, 0.72, yaw=8),
        'chair south': Thing(chair('plaid'), 0.05, -0.45, yaw=172),
        'chair east': Thing(chair('mustard'), 0.68, 0.2, yaw=-80),
        'bowl': Thing(vase((0.75, 0.45, 0.15), 0.16), -0.45, 0.25, 0.74),
        'table plant': Thing(plant(rng, 0.38, 16, (0.2, 0.35, 0.55)), 0.05, 0.1, 0.74),
        'table books': Thing(
            [
                (box(0.24, 0.18, 0.05), (0.55, 0.15, 0.15)),
                (box(0.2, 0.16, 0.04).moved(z=0.05, yaw=20), (0.15, 0.3, 0.45)),
                (box(0.21, 0.3, 0.003, fit=True).moved(0.3, 0.22), 'page 3'),
            ],
            -0.5,
            -0.05,
            0.74,
            25,
        ),
        'sideboard': Thing(sideboard(), 0.5, north - 0.24),
        'globe': Thing(globe(), -0.3, north - 0.25, 0.74),
        'vase': Thing(vase((0.2, 0.35, 0.65), 0.32), 1.1, north - 0.25, 0.74),
        'radio': Thing(
            [
                (box(0.34, 0.14, 0.2), 'walnut'),
                (panel(0.3, 0.15).moved(y=-0.072, z=0.1), 'stripes'),
            ],
            0.35,
            north - 0.22,
            0.74,
            6,
        ),
        'sill plant': Thing(plant(rng, 0.35, 18), 0.9, north - 0.12, 0.92),
        'floor lamp': Thing(floor_lamp(), 2.55, 2.05),
        'sofa': Thing(sofa(), east - 0.47, 0.45, yaw=-90),
        'corner plant': Thing(plant(rng, 1.35, 34), 2.5, -1.95),
        'side table': Thing(table(0.45, 0.45, 0.5, 'oak'), 2.55, -0.95),
        'side books': Thing(shifted(books(rng, 0.2, 0.25)), 2.55, -0.95, 0.5, -90),
        'desk': Thing(desk(), 0.9, south + 0.36, yaw=180),
        'desk chair': Thing(chair('teal', 'oak'), 0.8, -1.78, yaw=8),
        'bookshelf': Thing(bookshelf(rng), west + 0.18, 0.55, yaw=90),
        'big plant': Thing(plant(rng, 1.2, 30, (0.3, 0.3, 0.32)), -2.6, 2.05),
        'trunk': Thing(
            [
                (box(0.8, 0.45, 0.42), 'card'),
                (box(0.82, 0.47, 0.06).moved(z=0.36), 'walnut'),
                (box(0.06, 0.47, 0.425).moved(x=-0.25), BLACK),
                (box(0.06, 0.47, 0.425).moved(x=0.25), BLACK),
            ],
            -1.45,
            north - 0.28,
        ),
        'coats': Thing(coats(), west, -1.55, 1.75, 90),
        'clock': Thing(clock(), -0.75, south, 2.05, 180),
        'wall shelf': Thing(
            [
                (box(1.1, 0.2, 0.03), 'oak'),
                *shifted(books(rng, 0.7, 0.25), x=-0.1, z=0.03),
                *shifted(vase((0.8, 0.75, 0.6), 0.2), x=0.42, z=0.03),
            ],
            2.15,
            south + 0.1,
            1.55,
            180,
        ),
        'carton': Thing(carton(), -1.15, -2.2, yaw=190),
    }
    pictures = (  # texture, width, height, x, y, z, yaw
        ('hills 1', 0.9, 0.65, east, 0.95, 1.6, -90),
        ('blocks', 0.5, 0.65, east, 0.1, 1.7, -90),
        ('circles', 0.42, 0.5, east, -0.55, 1.45, -90),
        ('contours', 0.7, 0.95, east, -1.55, 1.5, -90),
        ('rays', 0.55, 0.75, east, 1.85, 1.75, -90),
        ('page 4', 0.3, 0.42, east, -0.6, 2.05, -90),
        ('hills 2', 0.8, 0.6, -1.75, north, 1.75, 0),
        ('circles 2', 0.5, 0.7, 2.35, north, 1.55, 0),
        ('blocks 2', 0.45, 0.35, -1.1, north, 1.35, 0),
        ('rays 2', 0.4, 0.5, -2.55, north, 1.5, 0),
        ('contours 2', 0.9, 0.6, 0.75, south, 1.6, 180),
        ('page 5', 0.3, 0.42, 0.05, south, 1.55, 180),
        ('page 6', 0.3, 0.42, 1.4, south, 1.45, 180),
        ('hills 3', 0.5, 0.65, -1.2, south, 1.35, 180),
        ('page 8', 0.42, 0.3, -1.75, north, 1.15, 0),
        ('circles 5', 0.3, 0.3, -2.2, north, 1.2, 0),
        ('rays 3', 0.5, 0.7, west, 1.85, 1.55, 90),
        ('circles 3', 0.55, 0.55, west, -0.75, 1.5, 90),
        ('blocks 3', 0.4, 0.3, west, -0.75, 2.1, 90),
        ('page 7', 0.3, 0.42, west, -2.25, 1.5, 90),
    )
    for texture, width, height, x, y, z, yaw in pictures:
        room[f'picture {texture}'] = Thing(framed(texture, width, height), x, y, z, yaw)
    return room


def later_room() -> dict[str, Thing]:
    """The same room later: someone has tidied, moved chairs, and left other things about."""
    rng = np.random.default_rng(17)
    room = mapped_room()
    for gone in ('bowl', 'carton', 'picture page 5', 'side books', 'radio'):
        del room[gone]
    room['chair north'] = replace(room['chair north'], x=-0.75, y=0.7, yaw=-25)
    room['chair east'] = replace(room['chair east'], y=0.35, yaw=-130)
    room['desk chair'] = replace(room['desk chair'], x=1.25, y=-1.72, yaw=-30)
    room['table plant'] = replace(room['table plant'], x=0.2, y=0.3)
    room['globe'] = replace(room['globe'], x=0.15)
    room['vase'] = replace(room['vase'], x=1.35)
    room['trunk'] = replace(room['trunk'], x=-1.3, yaw=-7)
    room['corner plant'] = replace(room['corner plant'], yaw=70)
    room['laptop'] = Thing(
        [
            (box(0.32, 0.22, 0.015), STEEL),
            (panel(0.3, 0.2).moved(roll=-15).moved(0, 0.14, 0.11), 'screen'),
        ],
        -0.35,
        0.05,
        0.74,
        30,
    )
    room['parcels'] = Thing(
        [*carton(0.4, 0.3, 0.25), *shifted(carton(0.3, 0.25, 0.2), z=0.25, yaw=20)],
        2.5,
        1.45,
        yaw=-75,
    )
    room['backpack'] = Thing(
        [
            (box(0.32, 0.18, 0.42).moved(roll=-8), (0.5, 0.12, 0.1)),
            (box(0.24, 0.06, 0.2).moved(y=-0.12, z=0.05), (0.35, 0.08, 0.08)),
        ],
        -2.35,
        -0.75,
        yaw=70,
    )
    room['flowers'] = Thing(
        [*vase((0.85, 0.85, 0.9), 0.2), *shifted(plant(rng, 0.4, 14), z=0.02)],
        0.6,
        ROOM_Y / 2 - 0.28,
        0.74,
    )
    room['new poster'] = Thing(framed('circles 4', 0.3, 0.42), 0.05, -ROOM_Y / 2, 1.6, 180)
    return room


TEXTURES: Textures = {
    'floor': lambda r: textures.planks(r, ROOM_X, ROOM_Y, (160, 112, 70)),
    'ceiling': lambda r: textures.plaster(r, ROOM_X, ROOM_Y, (214, 210, 200)),
    'north': lambda r: textures.plaster(r, ROOM_X, ROOM_Z, (150, 172, 160)),
    'south': lambda r: textures.wallpaper(r, ROOM_X, ROOM_Z, (205, 196, 172)),
    'east': lambda r: textures.plaster(r, ROOM_Y, ROOM_Z, (206, 188, 150)),
    'west': lambda r: textures.bricks(r, ROOM_Y, ROOM_Z),
    'rug': lambda r: textures.rug(r, 2.6, 1.9),
    'oak': lambda r: textures.wood(r, (186, 142, 92)),
    'walnut': lambda r: textures.wood(r, (104, 68, 44)),
    'teal': lambda r: textures.wood(r, (58, 112, 112)),
    'mustard': lambda r: textures.fabric(r, (196, 150, 52)),
    'sofa': lambda r: textures.fabric(r, (70, 88, 122), (62, 76, 108)),
    'weave': lambda r: textures.fabric(r, (176, 160, 132), (140, 60, 50)),
    'plaid': lambda r: textures.fabric(r, (150, 46, 42), (226, 200, 150)),
    'stripes': lambda r: textures.fabric(r, (222, 214, 196), (40, 78, 110)),
    'curtain': lambda r: textures.fabric(r, (206, 120, 84), (232, 190, 130)),
    'card': lambda r: textures.fabric(r, (176, 132, 86), (164, 120, 76)),
    'globe': lambda r: textures.picture(r, 'contours', 512, 512),
    'outside': textures.view_outside,
    'screen': lambda r: textures.picture(r, 'page', 320, 200),
    'sign': lambda r: textures.picture(r, 'page', 300, 120),
}


def texture_images(used: set[str], textures_by_name: Textures = TEXTURES) -> dict[str, np.ndarray]:
    """The image of each named texture, drawn from a seed of its own.

    A name that is not in the table is that of a picture, and begins with its kind.
    """
    images = {}
    for name in sorted(used):
        rng = np.random.default_rng(list(name.encode()))
        images[name] = (
            textures_by_name[name](rng)
            if name in textures_by_name
            else textures.picture(rng, name.split()[0])
        )
    return images
