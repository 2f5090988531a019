"""The topics that say what the place is like: ~/map_points and ~/mapped_path, once and for all."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from nav_msgs.msg import Path
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from posemap_ros.map_view.place import Place
from posemap_ros.node import messages
from posemap_ros.node.pose_output import LATCHED_QOS

_FIELDS = ('x', 'y', 'z', 'sigma')


class MapOutput:
    """Publishes a place in `frame`, latched: whoever comes later gets it, too.

    Nothing is published of a place whose landmarks were not mapped.
    """

    def __init__(self, node: Node, frame: str, place: Place | None) -> None:
        points = node.create_publisher(PointCloud2, '~/map_points', LATCHED_QOS)
        path = node.create_publisher(Path, '~/mapped_path', LATCHED_QOS)
        self.publishers: list[Publisher] = [points, path]
        if place is not None:
            header = Header(frame_id=frame, stamp=node.get_clock().now().to_msg())
            points.publish(point_cloud(place, header))
            path.publish(mapped_path(place, header))


def point_cloud(place: Place, header: Header) -> PointCloud2:
    """The landmarks: where they are, and the standard deviation of that, all in metres."""
    values = np.column_stack([place.points, place.sigmas]).astype('<f4')
    fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate(_FIELDS)
    ]
    message = PointCloud2(
        header=header,
        height=1,
        width=len(values),
        fields=fields,
        is_bigendian=False,
        point_step=4 * len(fields),
        row_step=values.nbytes,
        is_dense=True,
    )
    message.data = values.tobytes()
    return message


def mapped_path(place: Place, header: Header) -> Path:
    """Where the camera, not the robot, took the photos of the mapping drive (optical axes): how it
    was mounted then, nobody says.
    """
    stamp: Time = header.stamp
    poses = [messages.pose_stamped(T, header.frame_id, stamp) for T in place.T_world_cam]
    return Path(header=header, poses=poses)
