"""Triangle meshes of simple solids, from which all furniture is put together.

A solid is centred or standing at its own origin, z up, in metres. Texture coordinates are in
units of 2 m (the size of a tiling texture), unless the solid is made to `fit` its picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

TILE_M = 2.0


@dataclass(frozen=True)
class Mesh:
    """Vertices, unit normals [N, 3], texture coordinates [N, 2] and triangles [M, 3]."""

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray

    def moved(self, x=0.0, y=0.0, z=0.0, yaw=0.0, pitch=0.0, roll=0.0) -> Mesh:
        """Turn by roll, pitch, yaw (degrees, about the fixed x, y, z axes), then shift."""
        R = rotation(yaw, pitch, roll)
        return replace(self, vertices=self.vertices @ R.T + (x, y, z), normals=self.normals @ R.T)


def rotation(yaw=0.0, pitch=0.0, roll=0.0) -> np.ndarray:
    """Rotation matrix Rz(yaw) Ry(pitch) Rx(roll), angles in degrees."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, pitch, roll])) for f in (np.cos, np.sin))
    Rz = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    Ry = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    Rx = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return Rz @ Ry @ Rx


def joined(meshes: list[Mesh]) -> Mesh:
    """One mesh out of several."""
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        *(
            np.concatenate([getattr(m, name) for m in meshes])
            for name in ('vertices', 'normals', 'uv')
        ),
        np.concatenate([m.faces + offset for m, offset in zip(meshes, offsets)]),
    )


def surface(points: np.ndarray, normals: np.ndarray, uv: np.ndarray) -> Mesh:
    """Two triangles for each cell of a grid of points [rows, columns, 3]."""
    rows, columns = points.shape[:2]
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    faces = np.concatenate([corner + (0, 1, columns), corner + (1, columns + 1, columns)])
    return Mesh(points.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2), faces)


def sheet(points: np.ndarray, uv: np.ndarray) -> Mesh:
    """A surface with normals from the slopes of its grid of points."""
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    return surface(points, normals / np.linalg.norm(normals, axis=-1, keepdims=True), uv)


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column parameters, each [rows, columns], from 0 to 1."""
    return np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing='ij')


def panel(width: float, height: float) -> Mesh:
    """An upright picture in the x-z plane, centred, facing -y, its texture fitted to it."""
    v, u = grid(2, 2)
    points = np.stack([(u - 0.5) * width, 0 * u, (v - 0.5) * height], -1)
    return sheet(points, np.stack([u, v], -1))


def pierced(
    width: float, height: float, middle: float, opening_x: float, opening_z: float
) -> Mesh:
    """A panel with a doorway: an opening from its lower edge up, `middle` right of its own."""
    left, right, bottom = middle - opening_x / 2, middle + opening_x / 2, -height / 2
    v, u = grid(2, 2)
    pieces = []
    for a, b, low in (
        (-width / 2, left, bottom),
        (left, right, bottom + opening_z),
        (right, width / 2, bottom),
    ):
        x, z = a + u * (b - a), low + v * (height / 2 - low)
        pieces.append(
            sheet(np.stack([x, 0 * u, z], -1), np.stack([x / width + 0.5, z / height + 0.5], -1))
        )
    return joined(pieces)


def box(x: float, y: float, z: float, fit: bool = False) -> Mesh:
    """A box with these edge lengths, standing on z = 0; the grain follows its longer edges."""
    size, sides = np.array([x, y, z]), []
    for axis in range(3):
        a, b = sorted({0, 1, 2} - {axis}, key=lambda i: -size[i])
        for sign in (-1, 1):
            s, t = grid(2, 2)
            points = np.zeros((2, 2, 3))
            points[..., axis] = sign * size[axis] / 2
            points[..., a], points[..., b] = (s - 0.5) * size[a], (t - 0.5) * size[b]
            normals = np.zeros((2, 2, 3))
            normals[..., axis] = sign
            uv = np.stack(
                [s, t] if fit else [s * size[a] / TILE_M, t * size[b] / TILE_M + 0.37 * axis], -1
            )
            sides.append(surface(points + (0, 0, z / 2), normals, uv))
    return joined(sides)


def lathe(profile: list[tuple[float, float]], segments: int = 28) -> Mesh:
    """A turned solid: (radius, height) pairs from bottom to top, swept about the z axis."""
    rings, (radii, heights) = [], np.array(profile, dtype=float).T
    for low in range(len(profile) - 1):
        t, u = grid(2, segments + 1)
        radius = radii[low] + t * (radii[low + 1] - radii[low])
        height = heights[low] + t * (heights[low + 1] - heights[low])
        angle = 2 * np.pi * u
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], -1)
        dr, dz = radii[low + 1] - radii[low], heights[low + 1] - heights[low]
        slope = np.array([dz, -dr]) / max(np.hypot(dr, dz), 1e-9)
        normals = np.stack(
            [slope[0] * np.cos(angle), slope[0] * np.sin(angle), slope[1] + 0 * angle], -1
        )
        uv = np.stack([u * 2 * np.pi * radii.max() / TILE_M, height / TILE_M], -1)
        rings.append(surface(points, normals, uv))
    return joined(rings)


def ball(radius: float) -> Mesh:
    """A sphere standing on z = 0."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 15)
    return lathe([(radius * np.cos(a), radius + radius * np.sin(a)) for a in angle])


def leaf(length: float, width: float, bend: float) -> Mesh:
    """A leaf growing along +x from the origin and rising, its tip bent down by `bend` (m)."""
    s, t = grid(7, 3)
    breadth = width * np.sin(np.pi * np.clip(s, 0.02, 0.98)) ** 0.8
    points = np.stack(
        [
            length * s,
            (t - 0.5) * breadth,
            0.6 * length * s - bend * s**2 - 0.15 * breadth * np.abs(t - 0.5),
        ],
        -1,
    )
    return sheet(points, np.stack([s, t], -1))


def curtain(width: float, height: float, folds: int, depth: float = 0.05) -> Mesh:
    """Hanging cloth in the x-z plane from z = 0 to `height`, in sine folds."""
    v, u = grid(2, 24 * folds)
    y = depth * np.sin(2 * np.pi * folds * u + 1.3 * np.sin(7 * u)) * (1 - 0.25 * v)
    points = np.stack([(u - 0.5) * width, y, v * height], -1)
    return sheet(points, np.stack([u * width * 1.6 / TILE_M, v * height / TILE_M], -1))
