"""Between ROS image messages and uint8 RGB arrays, both ways."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from posemap_ros.image_message import UnsupportedImage, to_rgb

__all__ = ['UnsupportedImage', 'from_rgb', 'to_rgb']


def from_rgb(image: np.ndarray, header: Header) -> Image:
    """An rgb8 message of a uint8 array [height, width, 3]."""
    height, width, _ = image.shape
    message = Image(header=header, height=height, width=width, encoding='rgb8', step=3 * width)
    message.data = np.ascontiguousarray(image).tobytes()
    return message
