"""The demo's other picture: camera images, and what the map shows where they were localized."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from rosbags.highlevel import AnyReader

from demo.play_bag import IMAGES
from demo.viewer import Fix
from posemap_ros.environment import Environment
from posemap_ros.map_view.panels import side_by_side
from posemap_ros.map_view.place import Place
from posemap_ros.map_view.rendering import MapRenderer

COUNT, COLUMNS, HEIGHT, FINENESS = 4, 2, 180, 8


def draw_views(
    path: Path,
    bag: Path,
    environment: Path,
    fixes: list[Fix],
    first_ns: int,
    T_base_cam: np.ndarray,
) -> None:
    """Write it as JPEG, of a few fixes of one play.

    Args:
        first_ns: stamp of the first image as it was played.
        T_base_cam: how the camera is mounted.
    """
    loaded = Environment.load(environment)
    renderer = MapRenderer(loaded.load_nerf_p(), loaded.network_camera, Place.of(loaded))
    size = (renderer.camera(HEIGHT).width, HEIGHT)
    photos = read_photos(bag, first_ns)
    rows, chosen = [], np.linspace(0, len(fixes) - 1, COUNT + 2)[1:-1].astype(int)
    for fix in (fixes[index] for index in chosen):
        T_map_cam = fix.T_map_base @ T_base_cam
        photo = cv2.resize(photos[fix.stamp_ns], size, interpolation=cv2.INTER_AREA)
        posemap = renderer.posemap(T_map_cam, FINENESS)
        rows.append(
            side_by_side(
                {
                    'camera': photo,
                    'map at the estimate': renderer.view(T_map_cam, photo, HEIGHT),
                    'PoseMap at the estimate': cv2.resize(posemap, size),
                }
            )
        )
    grid = np.vstack([np.hstack(rows[k : k + COLUMNS]) for k in range(0, COUNT, COLUMNS)])
    cv2.imwrite(str(path), grid[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def read_photos(bag: Path, first_ns: int) -> dict[int, np.ndarray]:
    """Images of a bag, uint8 RGB, by the stamps that they had when it was played."""
    photos, shift = {}, None
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic == IMAGES]
        for connection, _, data in reader.messages(connections):
            message = reader.deserialize(data, connection.msgtype)
            stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            shift = first_ns - stamp if shift is None else shift
            photo = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
            photos[stamp + shift] = photo[..., ::-1]
    return photos
