"""A larger place than the demo's room, of the same furniture: two rooms, and a corridor between.

The map frame has its origin on the floor in the middle of the flat, x east, y north, z up, metres.
Its bags are not in the repository; `make_bags` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from . import furniture, scene, textures
from .drives import Drive
from .furniture import BLACK, WHITE, Parts, shifted
from .scene import DOOR_HEIGHT, DOOR_WIDTH, ROOM_Z, Light, Thing
from .shapes import box, panel

WALL = 0.12


@dataclass(frozen=True)
class Room:
    """A rectangle of the map (m), its lamps from its middle, and what its surfaces look like.

    A look draws a surface of given width and height (m) with a random generator.
    """

    west: float
    east: float
    south: float
    north: float
    lights: tuple[tuple[float, float], ...]
    beams: tuple[float, ...]
    looks: dict[str, partial]

    @property
    def middle(self) -> tuple[float, float]:
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    @property
    def size(self) -> tuple[float, float]:
        return self.east - self.west, self.north - self.south


def painted(red: int, green: int, blue: int) -> partial:
    return partial(textures.plaster, colour=(red, green, blue))


ROOMS = {
    'living': Room(
        -3.25,
        3.25,
        0.55,
        4.25,
        ((-1.5, -0.8), (-1.5, 0.8), (1.6, -0.8), (1.6, 0.8)),
        (-2.6, 0.1, 2.7),
        {
            'floor': partial(textures.planks, colour=(150, 104, 66)),
            'ceiling': painted(214, 210, 200),
            'north': painted(188, 152, 128),
            'south': partial(textures.wallpaper, ground=(196, 204, 188)),
            'east': painted(150, 166, 178),
            'west': textures.bricks,
        },
    ),
    'corridor': Room(
        -3.25,
        3.25,
        -0.9,
        0.43,
        ((-1.9, 0.0), (0.9, 0.0)),
        (),
        {
            'floor': partial(textures.planks, colour=(112, 92, 78), board=0.2),
            'ceiling': painted(220, 216, 208),
            'north': painted(206, 190, 140),
            'south': painted(176, 186, 190),
            'east': painted(196, 140, 110),
            'west': painted(120, 150, 136),
        },
    ),
    'study': Room(
        -3.25,
        1.25,
        -4.25,
        -1.02,
        ((0.1, 0.1),),
        (),
        {
            'floor': partial(textures.planks, colour=(188, 156, 112), board=0.09),
            'ceiling': painted(206, 208, 206),
            'north': painted(140, 160, 140),
            'south': textures.bricks,
            'east': painted(200, 176, 168),
            'west': partial(textures.wallpaper, ground=(176, 184, 204)),
        },
    ),
}
DOORWAYS = (1.9, 0.49), (-2.0, -0.96)  # their middles, in walls along x

SURFACES = {
    f'{name} {surface}': partial(look, width_m=width, height_m=height)
    for name, room in ROOMS.items()
    for surface, look in room.looks.items()
    for width, height in [
        {'floor': room.size, 'ceiling': room.size}.get(
            surface, (room.size[surface in ('east', 'west')], ROOM_Z)
        )
    ]
}
TEXTURES = {**scene.TEXTURES, **SURFACES, 'runner': lambda r: textures.rug(r, 3.4, 0.8)}


def walls(name: str) -> Thing:
    """The room's shell, open where the flat has a doorway."""
    room, (x, y) = ROOMS[name], ROOMS[name].middle
    doorways = {
        side: door_x - x
        for door_x, door_y in DOORWAYS
        for side in ('south', 'north')
        if abs(getattr(room, side) - door_y) < WALL
    }
    return Thing(scene.shell(*room.size, room.lights, room.beams, doorways, name + ' '), x, y)


def door_frame() -> Parts:
    depth = WALL + 0.05
    posts = [
        (box(0.04, depth, DOOR_HEIGHT).moved(side * (DOOR_WIDTH / 2 - 0.02)), WHITE)
        for side in (-1, 1)
    ]
    return [
        *posts,
        (box(DOOR_WIDTH, depth, 0.04).moved(z=DOOR_HEIGHT - 0.04), WHITE),
        (box(DOOR_WIDTH, depth, 0.01), 'oak'),
    ]


def bed() -> Parts:
    return [
        (box(1.0, 2.0, 0.3), 'walnut'),
        (box(0.96, 1.94, 0.18).moved(z=0.3), 'weave'),
        (box(1.02, 1.3, 0.08).moved(y=-0.3, z=0.43), 'plaid'),
        (box(0.6, 0.4, 0.13).moved(y=0.7, z=0.48), 'stripes'),
        (box(1.0, 0.05, 0.85).moved(y=1.0), 'walnut'),
    ]


def mapped_flat() -> dict[str, Thing]:
    """The flat on the day it is mapped."""
    rng = np.random.default_rng(29)
    flat = {f'{name} walls': walls(name) for name in ROOMS}
    flat |= {
        f'door frame {index}': Thing(door_frame(), *middle)
        for index, middle in enumerate(DOORWAYS)
    }
    living, corridor, study = ROOMS.values()
    flat |= {
        'window': Thing(furniture.window(), -0.4, living.north, 1.6),
        'sideboard': Thing(furniture.sideboard(), -0.4, living.north - 0.24),
        'globe': Thing(furniture.globe(), -1.2, living.north - 0.25, 0.74),
        'vase': Thing(furniture.vase((0.2, 0.35, 0.65), 0.32), 0.3, living.north - 0.25, 0.74),
        'rug': Thing([(box(2.6, 1.9, 0.012, fit=True), 'rug')], -0.6, 2.25, yaw=-4),
        'table': Thing(furniture.table(), -0.6, 2.3, yaw=-3),
        'chair north': Thing(furniture.chair('stripes'), -0.75, 2.87, yaw=5),
        'chair south': Thing(furniture.chair('mustard'), -0.4, 1.72, yaw=176),
        'chair west': Thing(furniture.chair('plaid'), -1.42, 2.25, yaw=85),
        'bowl': Thing(furniture.vase((0.7, 0.3, 0.2), 0.18), -0.8, 2.4, 0.74),
        'table plant': Thing(furniture.plant(rng, 0.4, 16, (0.2, 0.35, 0.55)), -0.25, 2.3, 0.74),
        'bookshelf': Thing(furniture.bookshelf(rng), living.west + 0.18, 2.4, yaw=90),
        'big plant': Thing(furniture.plant(rng, 1.2, 30), -2.75, 3.75),
        'sofa': Thing(furniture.sofa(), living.east - 0.47, 2.45, yaw=-90),
        'floor lamp': Thing(furniture.floor_lamp(), 2.95, 3.85),
        'carton': Thing(furniture.carton(), 2.95, 0.85, yaw=-80),
        'wall shelf': Thing(
            [
                (box(1.1, 0.2, 0.03), 'oak'),
                *shifted(furniture.books(rng, 0.7, 0.25), x=-0.1, z=0.03),
            ],
            -1.6,
            living.south + 0.1,
            1.5,
            180,
        ),
        'clock': Thing(furniture.clock(), 0.9, living.south, 2.05, 180),
        'front door': Thing(furniture.door(), corridor.east, -0.235, yaw=-90),
        'runner': Thing([(box(3.4, 0.8, 0.01, fit=True), 'runner')], 0.1, -0.2, yaw=1),
        'coats': Thing(furniture.coats(), -0.5, corridor.north, 1.75),
        'bench': Thing(
            [
                *furniture.table(0.9, 0.28, 0.42, 'walnut'),
                (box(0.25, 0.2, 0.16).moved(-0.25, z=0.42), 'teal'),
            ],
            0.7,
            corridor.south + 0.16,
        ),
        'corridor plant': Thing(furniture.plant(rng, 0.7, 20, (0.75, 0.72, 0.65)), -2.95, 0.1),
        'bed': Thing(bed(), study.west + 0.53, study.south + 1.05, yaw=180),
        'desk': Thing(furniture.desk(), -0.9, study.south + 0.36, yaw=180),
        'desk chair': Thing(furniture.chair('teal', 'oak'), -0.8, -3.4, yaw=15),
        'study window': Thing(furniture.window(1.5, 1.2), study.east, -2.7, 1.65, -90),
        'trunk': Thing(
            [
                (box(0.8, 0.42, 0.42), 'card'),
                (box(0.82, 0.44, 0.06).moved(z=0.36), 'walnut'),
                (box(0.06, 0.44, 0.425).moved(x=0.25), BLACK),
            ],
            study.east - 0.26,
            -2.3,
            yaw=-90,
        ),
        'study shelf': Thing(furniture.bookshelf(rng, 1.2, 1.5, 4), -0.1, study.north - 0.17),
        'study plant': Thing(furniture.plant(rng, 1.3, 30, (0.3, 0.3, 0.32)), 0.7, -3.7),
    }
    # The study's door stands open, its hinge at the frame.
    leaf = [
        (box(0.85, 0.04, 2.0).moved(x=0.425), 'teal'),
        (panel(0.5, 0.18).moved(x=0.425, y=-0.022, z=1.7), 'sign'),
    ]
    flat['door'] = Thing(leaf, DOORWAYS[1][0] - DOOR_WIDTH / 2, study.north - 0.03, yaw=-96)
    pictures = (  # texture, width, height, room, its wall, along that wall (east or north), z
        ('hills 4', 0.9, 0.65, living, 'east', 2.9, 1.6),
        ('blocks 4', 0.5, 0.65, living, 'east', 2.0, 1.65),
        ('circles 6', 0.42, 0.5, living, 'east', 1.2, 1.45),
        ('rays 4', 0.6, 0.8, living, 'north', 1.6, 1.6),
        ('contours 4', 0.5, 0.7, living, 'north', 2.4, 1.5),
        ('page 9', 0.3, 0.42, living, 'north', -2.1, 1.5),
        ('contours 5', 0.9, 0.6, living, 'south', 0.4, 1.5),
        ('hills 5', 0.6, 0.8, living, 'south', -0.5, 1.5),
        ('page 10', 0.3, 0.42, living, 'south', -2.6, 1.4),
        ('blocks 5', 0.4, 0.5, living, 'south', 2.85, 1.5),
        ('circles 7', 0.5, 0.5, living, 'west', 3.75, 1.7),
        ('rays 5', 0.5, 0.6, living, 'west', 1.0, 1.5),
        ('contours 6', 0.8, 1.1, corridor, 'west', -0.3, 1.4),
        ('hills 6', 0.5, 0.4, corridor, 'north', -2.2, 1.5),
        ('page 11', 0.3, 0.42, corridor, 'north', -1.5, 1.4),
        ('circles 8', 0.45, 0.6, corridor, 'north', 0.6, 1.45),
        ('blocks 6', 0.35, 0.45, corridor, 'north', 2.8, 1.4),
        ('rays 6', 0.6, 0.45, corridor, 'south', -0.9, 1.5),
        ('page 12', 0.42, 0.3, corridor, 'south', -0.1, 1.3),
        ('circles 9', 0.5, 0.6, corridor, 'south', 0.8, 1.5),
        ('hills 7', 0.7, 0.5, corridor, 'south', 2.0, 1.5),
        ('blocks 7', 0.6, 0.8, study, 'west', -2.9, 1.5),
        ('rays 7', 0.4, 0.5, study, 'west', -1.7, 1.5),
        ('hills 8', 0.8, 0.6, study, 'south', -0.6, 1.6),
        ('page 13', 0.3, 0.42, study, 'south', -1.5, 1.5),
        ('circles 10', 0.5, 0.6, study, 'south', 0.5, 1.5),
        ('contours 7', 0.5, 0.6, study, 'north', -1.1, 1.5),
        ('page 14', 0.3, 0.42, study, 'north', 0.8, 1.3),
        ('rays 8', 0.4, 0.6, study, 'east', -1.4, 1.5),
    )
    for texture, width, height, room, wall, along, z in pictures:
        x, y, yaw = {
            'north': (along, room.north, 0),
            'south': (along, room.south, 180),
            'east': (room.east, along, -90),
            'west': (room.west, along, 90),
        }[wall]
        flat[f'picture {texture}'] = Thing(furniture.framed(texture, width, height), x, y, z, yaw)
    return flat


def later_flat() -> dict[str, Thing]:
    """The same flat some hours later: a few things moved, gone and come."""
    flat = mapped_flat()
    for gone in ('bowl', 'carton', 'picture page 11'):
        del flat[gone]
    for name, change in {
        'chair north': dict(x=-0.95, y=2.78, yaw=-20),
        'door': dict(yaw=-78),
        'chair south': dict(x=-0.3, y=1.65, yaw=150),
        'globe': dict(x=-0.7),
        'table plant': dict(x=-0.5, y=2.15),
        'desk chair': dict(x=-0.5, y=-3.35, yaw=-30),
        'trunk': dict(y=-2.45, yaw=-84),
    }.items():
        flat[name] = replace(flat[name], **change)
    flat['parcel'] = Thing(furniture.carton(0.4, 0.3, 0.25), 2.85, -0.68, yaw=20)
    flat['mug'] = Thing(furniture.mug((0.15, 0.4, 0.7)), -0.9, 2.4, 0.74)
    flat['backpack'] = Thing(
        [(box(0.32, 0.18, 0.42).moved(roll=-8), (0.5, 0.12, 0.1))], 2.9, 1.0, yaw=-60
    )
    return flat


MIDDAY = Light(window=(9.0, 9.4, 9.8), ceiling=(5.0, 4.9, 4.6), lamp=(2.0, 1.6, 1.1), exposure=2.4)
AFTERNOON = Light(
    window=(7.5, 6.9, 5.9), ceiling=(5.2, 4.8, 4.1), lamp=(6.0, 4.4, 2.8), exposure=2.3
)

# Round the table, down the corridor, round the study and back, and round the table the other way.
MAPPING = Drive(
    waypoints=(
        (1.2, 2.9, 0),
        (0.5, 3.4, 0),
        (-0.7, 3.45, 0),
        (-2.1, 3.3, 0),
        (-2.3, 2.3, 0),
        (-2.15, 1.2, 0),
        (-0.6, 1.05, 0),
        (1.2, 1.25, 360),
        (1.9, 0.9, 0),
        (1.9, 0.0, 0),
        (1.2, -0.15, 0),
        (-1.5, -0.15, 0),
        (-2.0, -0.5, 0),
        (-2.0, -1.4, 0),
        (-1.5, -2.4, 0),
        (-0.5, -2.75, 0),
        (0.3, -2.2, 360),
        (-0.5, -1.75, 0),
        (-1.6, -1.9, 0),
        (-2.0, -1.3, 0),
        (-2.0, -0.4, 0),
        (-1.2, -0.3, 0),
        (2.5, -0.25, 0),
        (1.9, 0.2, 0),
        (1.9, 1.1, 0),
        (1.5, 2.6, 360),
        (0.5, 1.1, 0),
        (-1.9, 1.15, 0),
        (-2.2, 2.6, 0),
        (-1.2, 3.4, 0),
        (0.6, 3.3, 0),
        (1.4, 2.0, 0),
    ),
    frames=260,
    rate_hz=2.1,
    start_ns=1_760_100_000_000_000_000,
    seed=3,
)
LATER = Drive(
    waypoints=(
        (-0.9, -2.6, 0),
        (0.2, -2.5, 0),
        (-0.2, -1.8, 0),
        (-1.4, -1.8, 0),
        (-2.0, -1.3, 0),
        (-2.0, -0.4, 0),
        (-1.0, -0.2, 0),
        (2.1, -0.2, 0),
        (1.9, 0.3, 0),
        (1.9, 1.0, 0),
        (1.3, 2.8, 0),
        (0.0, 3.35, 0),
        (-2.0, 3.2, 0),
        (-2.2, 1.5, 0),
        (-0.8, 1.1, 0),
        (1.6, 1.2, 0),
        (1.9, 0.2, 0),
        (1.3, -0.2, 0),
        (-1.5, -0.2, 0),
    ),
    frames=100,
    rate_hz=1.8,
    start_ns=1_760_114_400_000_000_000,
    seed=4,
)
