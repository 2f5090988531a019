"""
A small stand-in for tf2_ros, for machines without a ROS 2 installation.

The PyPI wheels hold rclpy but not tf2. ``test/ros_support/install.py`` puts this package into the
project's virtual environment where the real one is missing; product code imports ``tf2_ros``
plainly and never knows. The transform arithmetic, the time cache, the topics and the exceptions
are tf2's; what the project does not use is left out. ``test/ros_support/test_tf2_ros.py`` imports
whichever of the two is installed, so it holds both to the same behaviour.
"""

from .buffer import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from .transform_broadcaster import StaticTransformBroadcaster, TransformBroadcaster
from .transform_listener import TransformListener

__all__ = [
    'Buffer',
    'ConnectivityException',
    'ExtrapolationException',
    'InvalidArgumentException',
    'LookupException',
    'StaticTransformBroadcaster',
    'TransformBroadcaster',
    'TransformException',
    'TransformListener',
]
