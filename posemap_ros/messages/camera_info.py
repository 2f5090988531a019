"""From a CameraInfo message to the camera that took the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from posemap_ros.camera import Camera, InvalidCamera

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo


def camera_of(info: CameraInfo, rectified: bool = False) -> Camera:
    """The camera of the images that come with `info`: their size is its region, binned.

    A rectified image comes with the same message as the raw one, but P describes it, and no
    distortion does: only its reader can know which it is. Raises `InvalidCamera`.
    """
    if rectified:
        P = info.p
        K = [P[0], P[1], P[2], P[4], P[5], P[6], P[8], P[9], P[10]]
        camera = Camera.from_camera_info(info.width, info.height, K)
    else:
        camera = Camera.from_camera_info(
            info.width, info.height, info.k, info.distortion_model, info.d
        )
    region = info.roi
    if region.width and region.height:  # zeros mean the whole image
        if (
            region.x_offset + region.width > info.width
            or region.y_offset + region.height > info.height
        ):
            raise InvalidCamera('the region of interest of the CameraInfo is not inside the image')
        camera = replace(
            camera,
            width=region.width,
            height=region.height,
            cx=camera.cx - region.x_offset,
            cy=camera.cy - region.y_offset,
        )
    # Zero and one both mean that pixels are not binned.
    columns, rows = camera.width // max(1, info.binning_x), camera.height // max(1, info.binning_y)
    if not columns or not rows:
        raise InvalidCamera('the binning of the CameraInfo leaves no pixel of the image')
    return camera.resized(columns, rows)
