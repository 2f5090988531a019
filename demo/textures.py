"""Every texture of the demo's places, made by code: uint8 RGB images [H, W, 3] (sRGB).

Nothing repeats within view: boards, bricks, leaves and pictures are all drawn at random from
a seeded generator, so that each part of the room can be told from every other.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

PIXELS_PER_M = 220


def noise(rng, height: int, width: int, cell_y: float, cell_x: float, octaves=4) -> np.ndarray:
    """Smooth fractal noise [height, width], about -1 to 1; cells are in pixels."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        shape = (
            max(2, int(height / cell_y * 2**octave)) + 1,
            max(2, int(width / cell_x * 2**octave)) + 1,
        )
        coarse = Image.fromarray(rng.uniform(-1, 1, shape).astype(np.float32))
        total += np.asarray(coarse.resize((width, height), Image.BICUBIC)) * 0.55**octave
    return total


def to_image(rgb: np.ndarray) -> np.ndarray:
    return np.clip(rgb, 0, 255).astype(np.uint8)


def tinted(colour, shade: np.ndarray) -> np.ndarray:
    """A colour (0..255) with brightness 1 + shade."""
    return to_image(np.asarray(colour, np.float32) * (1 + shade[..., None]))


def palette(rng, count: int, saturation=0.55, value=0.75) -> list[tuple[int, int, int]]:
    """Colours that go together: four hues of the reds, ochres, greens and blues of pigments."""
    hues = rng.choice([0.0, 0.04, 0.08, 0.12, 0.15, 0.3, 0.47, 0.55, 0.6, 0.64], 4)
    return [
        tuple(
            int(255 * c)
            for c in colorsys.hsv_to_rgb(
                (rng.choice(hues) + rng.normal(0, 0.015)) % 1,
                np.clip(saturation + rng.normal(0, 0.18), 0, 1),
                np.clip(value + rng.normal(0, 0.2), 0.1, 1),
            )
        )
        for _ in range(count)
    ]


def planks(rng, width_m, height_m, colour, board=0.13) -> np.ndarray:
    """A floor of boards along x, each with its own tone and grain."""
    h, w = int(height_m * PIXELS_PER_M), int(width_m * PIXELS_PER_M)
    out = np.zeros((h, w, 3), np.float32)
    rows = np.linspace(0, h, int(height_m / board) + 1).astype(int)
    for top, bottom in zip(rows[:-1], rows[1:]):
        grain = noise(rng, bottom - top, w, 9, 160)
        left = -int(rng.uniform(0, 1.2) * PIXELS_PER_M)
        while left < w:
            right = left + int(rng.uniform(0.7, 1.5) * PIXELS_PER_M)
            a, b = max(left, 0), min(right, w)
            if b > a:
                tone = np.asarray(colour) * (1 + rng.normal(0, 0.17)) + rng.normal(0, 7, 3)
                out[top:bottom, a:b] = tone * (
                    1 + 0.2 * np.roll(grain, rng.integers(w), 1)[:, a:b, None]
                )
                out[top:bottom, max(b - 2, 0) : b] *= 0.45
            left = right
        out[top : top + 2] *= 0.5
    return to_image(out)


def bricks(rng, width_m, height_m) -> np.ndarray:
    h, w = int(height_m * PIXELS_PER_M), int(width_m * PIXELS_PER_M)
    out = np.asarray((186, 178, 168)) * (1 + 0.1 * noise(rng, h, w, 12, 12))[..., None]
    rows = np.arange(0, h, int(0.075 * PIXELS_PER_M))
    for index, top in enumerate(rows):
        left = -int((index % 2) * 0.12 * PIXELS_PER_M)
        while left < w:
            right = left + int(rng.uniform(0.21, 0.27) * PIXELS_PER_M)
            tone = np.asarray((158, 88, 66)) * (1 + rng.normal(0, 0.2)) + rng.normal(0, 10, 3)
            if rng.uniform() < 0.08:
                tone = np.asarray((205, 190, 170.0)) * rng.uniform(0.8, 1.05)
            out[top + 3 : top + rows[1], max(left, 0) + 3 : max(right, 0)] = tone
            left = right
    return to_image(out * (1 + 0.13 * noise(rng, h, w, 25, 25, 5))[..., None])


def plaster(rng, width_m, height_m, colour) -> np.ndarray:
    """Wall paint with brush strokes, stains and a few hairline cracks."""
    h, w = int(height_m * PIXELS_PER_M), int(width_m * PIXELS_PER_M)
    shade = 0.07 * noise(rng, h, w, 160, 160, 6) + 0.03 * noise(rng, h, w, 60, 6, 2)
    image = Image.fromarray(tinted(colour, shade))
    draw = ImageDraw.Draw(image)
    for _ in range(int(2 * width_m)):
        steps = rng.normal(0, 9, (40, 2)).cumsum(0) + rng.uniform((0, 0), (w, h))
        draw.line([tuple(p) for p in steps], fill=tuple(int(0.8 * c) for c in colour), width=1)
    return np.asarray(image)


def wallpaper(rng, width_m, height_m, ground) -> np.ndarray:
    """Leaves and blossoms strewn without any repeat."""
    h, w = int(height_m * PIXELS_PER_M), int(width_m * PIXELS_PER_M)
    image = Image.fromarray(tinted(ground, 0.06 * noise(rng, h, w, 90, 90)))
    draw = ImageDraw.Draw(image)
    colours = palette(rng, 9, 0.45, 0.6)
    for _ in range(int(46 * width_m * height_m)):
        centre = rng.uniform((0, 0), (w, h))
        angle, size = rng.uniform(0, 2 * np.pi), rng.uniform(8, 40)
        t = np.linspace(0, 2 * np.pi, 14)
        petals = int(rng.choice([1, 1, 5]))
        for turn in range(petals):
            a = angle + 2 * np.pi * turn / petals
            along, across = size * (1 - np.cos(t)) / 2, 0.28 * size * np.sin(t)
            x = centre[0] + along * np.cos(a) - across * np.sin(a)
            y = centre[1] + along * np.sin(a) + across * np.cos(a)
            draw.polygon(list(zip(x, y)), fill=colours[rng.integers(len(colours))])
    return np.asarray(image)


def wood(rng, colour) -> np.ndarray:
    """One 2 m tile of grain along x with rings and knots."""
    n = 2 * PIXELS_PER_M
    rings = np.sin(38 * (np.linspace(0, 1, n)[:, None] + 0.16 * noise(rng, n, n, 110, 420, 3)))
    return tinted(colour, 0.09 * rings + 0.12 * noise(rng, n, n, 7, 170, 3))


def fabric(rng, colour, accent=None) -> np.ndarray:
    """One 2 m tile of woven cloth, with irregular stripes of the accent colour."""
    n = 2 * PIXELS_PER_M
    out = np.ones((n, n, 1)) * np.asarray(colour, np.float32)
    if accent is not None:
        for start in np.cumsum(rng.uniform(25, 75, 14)).astype(int):
            out[:, start : start + int(rng.integers(4, 20))] = accent
        for start in np.cumsum(rng.uniform(40, 110, 9)).astype(int):
            stripe = out[start : start + int(rng.integers(4, 16))]
            stripe[:] = 0.5 * stripe + 0.5 * np.asarray(accent)
    return to_image(out * (1 + 0.13 * noise(rng, n, n, 60, 60, 5))[..., None])


def rug(rng, width_m, height_m) -> np.ndarray:
    """A bordered carpet of many medallions, none like another."""
    h, w = int(height_m * PIXELS_PER_M), int(width_m * PIXELS_PER_M)
    colours = palette(rng, 10, 0.65, 0.6)
    image = Image.new('RGB', (w, h), colours[0])
    draw = ImageDraw.Draw(image)
    for ring in range(6):
        m = ring * 9
        draw.rectangle((m, m, w - m, h - m), fill=colours[rng.integers(10)])
    for _ in range(130):
        x, y = rng.uniform((70, 70), (w - 70, h - 70))
        size, sides = rng.uniform(10, 46), int(rng.integers(3, 9))
        for shrink in (1, 0.7, 0.4):
            draw.regular_polygon(
                (x, y, size * shrink), sides, rng.uniform(0, 360), fill=colours[rng.integers(10)]
            )
    return to_image(np.asarray(image) * (1 + 0.14 * noise(rng, h, w, 9, 9, 3))[..., None])


def view_outside(rng) -> np.ndarray:
    """Sky, far hills and trees, as seen through the window."""
    h, w = 300, 440
    t = np.linspace(0, 1, h)[:, None, None]
    out = (1 - t) * np.array((150, 190, 235.0)) + t * np.array((235, 240, 245.0))
    cloud = np.clip(noise(rng, h, w, 70, 150, 5), 0, 1)[..., None]
    out = out * (1 - cloud) + 250 * cloud
    rows = np.arange(h)[:, None]
    for level, tone in ((0.62, (120, 150, 150)), (0.72, (80, 120, 80)), (0.84, (45, 80, 40))):
        line = h * (level + 0.08 * noise(rng, 1, w, 1, 60, 5))
        out = np.where(
            (rows > line)[..., None],
            np.asarray(tone) * (1 + 0.3 * noise(rng, h, w, 12, 12))[..., None],
            out,
        )
    return to_image(out)


def picture(rng, kind: str, width=260, height=340) -> np.ndarray:
    """A painting, print or poster of one of the kinds below."""
    colours = palette(rng, 12)
    image = Image.new('RGB', (width, height), colours[0])
    draw = ImageDraw.Draw(image)
    if kind == 'hills':
        out = np.asarray(image, np.float32) * np.linspace(1.3, 0.8, height)[:, None, None]
        rows = np.arange(height)[:, None]
        for layer in range(6):
            line = height * (0.25 + 0.13 * layer + 0.13 * noise(rng, 1, width, 1, width / 2, 5))
            out = np.where((rows > line)[..., None], colours[layer + 1], out)
        image = Image.fromarray(
            to_image(out * (1 + 0.1 * noise(rng, height, width, 6, 20))[..., None])
        )
    elif kind == 'circles':
        for _ in range(45):
            x, y, r = rng.uniform((0, 0, 6), (width, height, 55))
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[rng.integers(12)])
    elif kind == 'blocks':
        cells = [(0, 0, width, height)]
        for _ in range(22):
            x0, y0, x1, y1 = cells.pop(
                int(
                    np.argmax([(c[2] - c[0]) * (c[3] - c[1]) * rng.uniform(0.5, 1) for c in cells])
                )
            )
            if x1 - x0 > y1 - y0:
                m = x0 + (x1 - x0) * rng.uniform(0.3, 0.7)
                cells += [(x0, y0, m, y1), (m, y0, x1, y1)]
            else:
                m = y0 + (y1 - y0) * rng.uniform(0.3, 0.7)
                cells += [(x0, y0, x1, m), (x0, m, x1, y1)]
        for cell in cells:
            draw.rectangle(cell, fill=colours[rng.integers(12)], outline=(25, 25, 30), width=4)
    elif kind == 'contours':
        field = noise(rng, height, width, 90, 90, 4)
        bands = np.digitize(field, np.linspace(-1.2, 1.2, 11))
        image = Image.fromarray(np.asarray(colours, np.uint8)[bands])
    elif kind == 'rays':
        x, y = rng.uniform((0.2 * width, 0.3 * height), (0.8 * width, 0.8 * height))
        angles = np.sort(rng.uniform(0, 2 * np.pi, 26))
        for k in range(26):
            ends = [
                (x + 600 * np.cos(a), y + 600 * np.sin(a))
                for a in (angles[k], angles[(k + 1) % 26])
            ]
            draw.polygon([(x, y), *ends], fill=colours[rng.integers(12)])
        draw.ellipse((x - 32, y - 32, x + 32, y + 32), fill=(250, 235, 190))
    elif kind == 'page':
        draw.rectangle((0, 0, width, height), fill=(240, 236, 225))
        draw.rectangle((20, 20, width - 20, 110), fill=colours[1])
        for row in range(130, height - 20, int(rng.integers(11, 17))):
            x = 20
            while x < width - 40:
                word = int(rng.integers(8, 40))
                draw.rectangle((x, row, min(x + word, width - 20), row + 5), fill=(50, 48, 55))
                x += word + 6
        draw.ellipse((width * 0.5, 40, width * 0.5 + 60, 100), fill=colours[2])
    else:
        raise ValueError(f'no picture of kind {kind!r}')
    return np.asarray(image)
