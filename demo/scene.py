"""The demo's room as data: where everything stands, and what has changed by the later drive.

The map frame has its origin on the floor in the middle of the room, x east, y north, z up,
metres. A thing is a list of parts, each a mesh and a material: the name of a texture, or a plain
colour (0..1, sRGB). Things face -y (south) before they are turned by their yaw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import textures
from .shapes import Mesh, ball, box, curtain, grid, lathe, leaf, panel, pierced, sheet

ROOM_X, ROOM_Y, ROOM_Z = 6.0, 5.0, 2.6
CEILING_LIGHTS = ((-1.1, 0.0), (0.85, 0.0))
DOOR_WIDTH, DOOR_HEIGHT = 0.95, 2.05
WHITE, BLACK, STEEL = (0.85, 0.84, 0.8), (0.06, 0.06, 0.07), (0.45, 0.46, 0.48)

Parts = list[tuple[Mesh, 'str | tuple[float, float, float]']]
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


# --- furniture -------------------------------------------------------------------------------


def table(x=1.25, y=0.8, z=0.74, wood='oak') -> Parts:
    legs = [
        (box(0.06, 0.06, z - 0.04).moved(sx * (x / 2 - 0.07), sy * (y / 2 - 0.07)), wood)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return [
        (box(x, y, 0.04).moved(z=z - 0.04), wood),
        *legs,
        (box(x - 0.2, 0.03, 0.08).moved(y=y / 2 - 0.07, z=z - 0.12), wood),
        (box(x - 0.2, 0.03, 0.08).moved(y=0.07 - y / 2, z=z - 0.12), wood),
    ]


def chair(seat='weave', frame='walnut') -> Parts:
    legs = [
        (box(0.04, 0.04, 0.44 if sy < 0 else 0.9).moved(sx * 0.19, sy * 0.19), frame)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    slats = [(box(0.36, 0.02, 0.07).moved(y=0.19, z=z), frame) for z in (0.58, 0.7, 0.82)]
    return [(box(0.44, 0.44, 0.05).moved(z=0.43), seat), *legs, *slats]


def sofa() -> Parts:
    parts = [
        (box(2.0, 0.85, 0.26).moved(z=0.1), 'sofa'),
        (box(2.0, 0.22, 0.45).moved(y=0.31, z=0.36), 'sofa'),
    ]
    for side in (-1, 1):
        parts += [
            (box(0.2, 0.85, 0.3).moved(x=side * 0.9, z=0.34), 'sofa'),
            (box(0.78, 0.6, 0.14).moved(x=side * 0.4, y=-0.1, z=0.36), 'sofa'),
        ]
    for x, turn, cloth in ((-0.55, 12, 'stripes'), (0.02, -8, 'plaid'), (0.58, 6, 'weave')):
        parts.append((box(0.42, 0.13, 0.4).moved(roll=-18, yaw=turn).moved(x, 0.12, 0.5), cloth))
    return parts


def books(rng, width: float, height: float) -> Parts:
    """A row of books with labels on their spines; some lean, some are missing."""
    parts, x = [], -width / 2
    while x < width / 2 - 0.06:
        thick, tall, deep = rng.uniform((0.018, 0.6 * height, 0.14), (0.055, 0.95 * height, 0.2))
        colour = tuple(np.array(textures.palette(rng, 1, 0.55, 0.55)[0]) / 255)
        lean = rng.choice([0, 0, 0, 0, 9])
        place = dict(x=x + thick / 2 + 0.002 + 0.001 * lean, y=-deep / 2 + 0.1, pitch=lean)
        parts.append((box(thick, deep, tall).moved(**place), colour))
        for low, high in rng.uniform((0.08, 0.05), (0.6, 0.2), (2, 2)):
            ink = tuple(rng.choice([[0.9, 0.85, 0.7], [0.85, 0.65, 0.2], [0.1, 0.1, 0.12]]))
            band = box(thick * 1.01, deep * 1.01, high * tall).moved(z=low * tall)
            parts.append((band.moved(**place), ink))
        gap = rng.uniform(0.04, 0.16) if rng.uniform() < 0.07 else 0
        x += thick + 0.003 + 0.004 * lean + gap
    return parts


def bookshelf(rng, width=1.9, height=2.05, levels=5) -> Parts:
    depth, step = 0.3, (height - 0.1) / levels
    parts = [(box(0.03, depth, height).moved(x=s * width / 2), 'walnut') for s in (-1, 0, 1)]
    parts += [
        (box(width, depth, 0.03).moved(z=0.06 + k * step), 'walnut') for k in range(levels + 1)
    ]
    parts.append((box(width, 0.01, height).moved(y=depth / 2), 'oak'))
    for level in range(levels):
        for side in (-1, 1):
            z, x = 0.09 + level * step, side * width / 4
            kind = rng.choice(['books', 'books', 'books', 'boxes', 'things'])
            if kind == 'books':
                content = books(rng, width / 2 - 0.1, step - 0.05)
            elif kind == 'boxes':
                content = [
                    (box(0.26, 0.24, rng.uniform(0.14, 0.26)).moved(x=dx), cloth)
                    for dx, cloth in ((-0.2, 'stripes'), (0.17, 'card'))
                ]
            else:
                content = [
                    *vase((0.2, 0.45, 0.5), 0.22),
                    *shifted(globe(0.1), x=0.24),
                    *shifted(books(rng, 0.16, step - 0.08), x=-0.28),
                ]
            parts += shifted(content, x, -0.02, z)
    return parts


def shifted(parts: Parts, x=0.0, y=0.0, z=0.0, yaw=0.0) -> Parts:
    return [(mesh.moved(x, y, z, yaw), material) for mesh, material in parts]


def sideboard(width=2.1) -> Parts:
    parts = [(box(width, 0.42, 0.66).moved(z=0.08), 'oak'), (box(width - 0.1, 0.36, 0.08), BLACK)]
    for k in range(4):
        x = (k - 1.5) * width / 4
        parts += [
            (
                box(width / 4 - 0.03, 0.015, 0.6).moved(x, -0.215, 0.11),
                ('walnut', 'teal', 'walnut', 'mustard')[k],
            ),
            (box(0.02, 0.03, 0.12).moved(x + 0.18, -0.225, 0.36), STEEL),
        ]
    return parts


def desk() -> Parts:
    screen = [
        (box(0.62, 0.03, 0.38).moved(y=0.1, z=0.16), BLACK),
        (panel(0.59, 0.35).moved(y=0.083, z=0.35), 'screen'),
        (box(0.05, 0.04, 0.2).moved(y=0.12), STEEL),
        (box(0.24, 0.18, 0.015), STEEL),
    ]
    drawers = [(box(0.4, 0.55, 0.68).moved(-0.45), 'teal')]
    drawers += [
        (box(0.36, 0.02, 0.18).moved(-0.45, -0.28, 0.06 + 0.22 * k), 'oak') for k in range(3)
    ]
    return [
        *table(1.4, 0.65, 0.74, 'walnut'),
        *drawers,
        *shifted(screen, 0.15, 0.05, 0.74),
        (box(0.42, 0.14, 0.02).moved(0.12, -0.16, 0.74), (0.2, 0.2, 0.22)),
        (box(0.21, 0.3, 0.004, fit=True).moved(-0.3, -0.12, 0.741, yaw=14), 'page 1'),
        (box(0.21, 0.3, 0.004, fit=True).moved(-0.52, -0.05, 0.742, yaw=-9), 'page 2'),
        *shifted(mug((0.75, 0.2, 0.15)), 0.5, -0.1, 0.74),
    ]


def vase(colour, height=0.3) -> Parts:
    r = height * 0.3
    return [
        (
            lathe(
                [
                    (0, 0),
                    (0.6 * r, 0),
                    (r, 0.3 * height),
                    (0.95 * r, 0.5 * height),
                    (0.4 * r, 0.8 * height),
                    (0.55 * r, height),
                ]
            ),
            colour,
        )
    ]


def mug(colour) -> Parts:
    return [
        (
            lathe(
                [(0, 0.003), (0.04, 0.003), (0.042, 0.09), (0.036, 0.09), (0.036, 0.02), (0, 0.02)]
            ),
            colour,
        )
    ]


def globe(radius=0.14) -> Parts:
    return [
        (ball(radius).moved(z=0.08), 'globe'),
        (
            lathe([(0, 0), (0.6 * radius, 0), (0.5 * radius, 0.02), (0.02, 0.03), (0.02, 0.09)]),
            'walnut',
        ),
    ]


def plant(rng, height=1.0, leaves=26, pot=(0.62, 0.33, 0.22)) -> Parts:
    r = 0.17 * height**0.5
    parts = [
        (
            lathe(
                [
                    (0, 0),
                    (0.7 * r, 0),
                    (r, 0.3 * height),
                    (0.9 * r, 0.3 * height),
                    (0, 0.27 * height),
                ]
            ),
            pot,
        ),
        (lathe([(0.015, 0.2 * height), (0.01, 0.7 * height)]), (0.25, 0.2, 0.1)),
    ]
    for _ in range(leaves):
        green = (0.1, 0.32, 0.12) * rng.uniform(0.5, 1.5, 3)
        blade = leaf(*rng.uniform((0.3, 0.07, 0.1), (0.5, 0.13, 0.4)) * height)
        parts.append(
            (
                blade.moved(z=rng.uniform(0.3, 0.72) * height, yaw=rng.uniform(0, 360)),
                tuple(np.clip(green, 0, 1)),
            )
        )
    return parts


def floor_lamp() -> Parts:
    return [
        (lathe([(0, 0), (0.15, 0), (0.15, 0.02), (0.015, 0.03), (0.015, 1.5)]), STEEL),
        (lathe([(0.2, 1.42), (0.13, 1.72)]), 'lamp'),
    ]


def framed(texture: str, width: float, height: float, frame=BLACK) -> Parts:
    """A picture on the wall, its back at y = 0, its middle at z = 0."""
    return [
        (box(width + 0.06, 0.03, height + 0.06).moved(y=-0.015, z=-height / 2 - 0.03), frame),
        (panel(width, height).moved(y=-0.032), texture),
    ]


def door() -> Parts:
    parts = [
        (box(1.06, 0.06, 2.1).moved(y=-0.02), WHITE),
        (box(0.9, 0.05, 2.03).moved(y=-0.04), 'teal'),
    ]
    parts += [
        (box(0.3, 0.02, h).moved(x, -0.07, z), 'teal')
        for x in (-0.2, 0.2)
        for z, h in ((0.2, 0.6), (1.0, 0.8))
    ]
    return [
        *parts,
        (box(0.13, 0.05, 0.03).moved(0.34, -0.1, 1.0), STEEL),
        (panel(0.5, 0.18).moved(y=-0.068, z=1.9), 'sign'),
    ]


def window(width=2.0, height=1.35) -> Parts:
    """The pane is the light itself; bars and sill stand before it."""
    parts = [(panel(width, height).moved(y=-0.01), 'outside')]
    parts += [
        (box(0.06, 0.08, height + 0.1).moved(x, -0.03, -height / 2 - 0.05), WHITE)
        for x in (-width / 2, 0, width / 2)
    ]
    parts += [
        (box(width + 0.1, 0.08, 0.06).moved(0, -0.03, z - 0.03), WHITE)
        for z in (-height / 2, 0.15 * height, height / 2)
    ]
    parts += [
        (box(width + 0.4, 0.2, 0.04).moved(0, -0.1, -height / 2 - 0.07), 'oak'),
        (
            lathe([(0.015, -1.45), (0.015, 1.45)])
            .moved(pitch=90)
            .moved(0, -0.13, height / 2 + 0.16),
            STEEL,
        ),
    ]
    for side in (-1, 1):
        parts.append(
            (curtain(0.55, 1.75, 5).moved(side * 1.2, -0.13, -height / 2 - 0.25), 'curtain')
        )
    return parts


def clock() -> Parts:
    face = [(lathe([(0.17, 0), (0.17, 0.04), (0.15, 0.04), (0.0, 0.03)]), WHITE)]
    face += [
        (box(0.012, 0.03, 0.005).moved(y=0.13, z=0.032).moved(yaw=30 * k), BLACK)
        for k in range(12)
    ]
    face += [
        (box(0.012, 0.1, 0.006).moved(y=0.04, z=0.036).moved(yaw=-57), BLACK),
        (box(0.008, 0.14, 0.006).moved(y=0.06, z=0.036).moved(yaw=40), BLACK),
    ]
    return [(mesh.moved(roll=90), material) for mesh, material in face]


def carton(x=0.45, y=0.35, z=0.3) -> Parts:
    return [
        (box(x, y, z), 'card'),
        (box(x * 1.002, 0.06, z * 1.002), (0.7, 0.6, 0.4)),
        (panel(0.2, 0.12).moved(x=0.06, y=-y / 2 - 0.002, z=z * 0.6), 'sign'),
    ]


def coats() -> Parts:
    parts = [(box(1.0, 0.03, 0.1).moved(y=-0.015), 'walnut')]
    for x, cloth in ((-0.32, 'plaid'), (0.05, 'mustard'), (0.36, 'sofa')):
        parts += [
            (box(0.02, 0.08, 0.02).moved(x, -0.05, 0.03), STEEL),
            (curtain(0.3, 0.8, 3, 0.03).moved(x, -0.1, -0.78), cloth),
        ]
    return parts


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


# --- the room --------------------------------------------------------------------------------


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
