"""Frames as the node keeps them for a refine."""

from tiny_environment import CAMERA, circle_of_poses, photograph

from posemap_ros.node.frame_buffer import FrameBuffer, KeptFrame


def frames() -> list[KeptFrame]:
    """Eight, from around the place."""
    buffer = FrameBuffer(8, horizon=100.0)
    for stamp, pose in enumerate(circle_of_poses(8)):
        buffer.add(KeptFrame.of(float(stamp), photograph(pose), CAMERA))
    return buffer.frames()
