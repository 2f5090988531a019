"""The pinhole camera to undistort images to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posemap_ros.camera import Camera, CameraMismatch

_LARGEST_ZOOM = 2.0


def pinhole_inside(camera: Camera) -> Camera:
    """The pinhole camera of the same size and centre that sees only what `camera` sees.

    Its focal lengths are those of `camera`, so that the middle keeps its resolution, or up to
    twice as large where there would be black corners, which a radiance field would learn. Raises
    `CameraMismatch` if that is not enough.
    """
    pinhole = camera.undistorted()
    zooms = np.linspace(1.0, _LARGEST_ZOOM, 201)  # f changes by 0.5 % from one to the next
    for zoom in zooms:
        zoomed = replace(pinhole, fx=pinhole.fx * zoom, fy=pinhole.fy * zoom)
        if _sees_all(camera, zoomed):
            return zoomed
    raise CameraMismatch(
        f'images with {camera.distortion_model} distortion {camera.distortion} cannot be '
        'undistorted without black corners; is the calibration right?'
    )


def _sees_all(camera: Camera, pinhole: Camera) -> bool:
    """Is the whole border of the pinhole's image inside the image of `camera`?"""
    u = np.linspace(0, pinhole.width, 101)
    v = np.linspace(0, pinhole.height, 101)
    border = np.concatenate(
        [np.stack([u, np.full_like(u, y)], axis=-1) for y in (0.0, pinhole.height)]
        + [np.stack([np.full_like(v, x), v], axis=-1) for x in (0.0, pinhole.width)]
    )
    rays = (border - (pinhole.cx, pinhole.cy)) / (pinhole.fx, pinhole.fy)
    pixels = camera.project(np.column_stack([rays, np.ones(len(rays))]))
    # NaN, where the distortion folds back, compares as outside. A hundredth of a pixel is no gap.
    with np.errstate(invalid='ignore'):
        inside = (pixels >= -0.01) & (pixels <= np.array([camera.width, camera.height]) + 0.01)
    return bool(inside.all())
