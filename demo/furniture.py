"""Furniture, from simple shapes.

A thing is a list of parts, each a mesh and a material: the name of a texture, or a plain colour
(0..1, sRGB). It stands on the origin, in metres, and faces -y.
"""

from __future__ import annotations

import numpy as np

from . import textures
from .shapes import Mesh, ball, box, curtain, lathe, leaf, panel

WHITE, BLACK, STEEL = (0.85, 0.84, 0.8), (0.06, 0.06, 0.07), (0.45, 0.46, 0.48)

Parts = list[tuple[Mesh, 'str | tuple[float, float, float]']]


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
