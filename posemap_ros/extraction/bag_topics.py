"""Which topics of a bag hold the images, their camera and the poses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from posemap_ros.extraction.bag import Bag, BagError
from posemap_ros.support.commands import stage

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
CAMERA_INFO_TYPES = ('sensor_msgs/msg/CameraInfo',)
POSE_TYPES = (
    'geometry_msgs/msg/PoseStamped',
    'geometry_msgs/msg/PoseWithCovarianceStamped',
    'nav_msgs/msg/Odometry',
    'nav_msgs/msg/Path',
)
TF_TYPES = ('tf2_msgs/msg/TFMessage',)

# 'sfm': from the images alone, by structure from motion; 'none': nobody needs them.
PoseSource = Literal['topic', 'tf', 'sfm', 'none']

# What people and planners send to a robot has these types too, but is no measured pose.
_COMMANDS = re.compile(r'(^|/)(initialpose|goal_pose|goal|[^/]*plan[^/]*)$')
_OPTIONS = {
    'image': '--image-topic',
    'camera_info': '--camera-info-topic',
    'pose': '--pose-topic',
}


@dataclass(frozen=True)
class BagTopics:
    """Names of the topics to read; pose is None where the poses do not come from a topic."""

    image: str
    camera_info: str
    pose: str | None


def choose_topics(
    bag: Bag,
    image: str | None = None,
    camera_info: str | None = None,
    pose: str | None = None,
    *,
    pose_source: PoseSource = 'topic',
) -> BagTopics:
    """The topics that were named; of each kind that was not, the only one there is.

    Poses are needed only if they are to come from a topic. With 'sfm', a pose topic may be there
    for the scale; with 'tf' and 'none' it is not looked at.

    Depth images and poses that are commands are not considered, and of several camera_info topics
    the one beside the images is taken. Raises `BagError` if nothing or more than one thing fits.
    """
    image = _choose(bag, 'image', image, IMAGE_TYPES, image_candidates(bag))
    camera_info = _choose(
        bag, 'camera_info', camera_info, CAMERA_INFO_TYPES, camera_info_candidates(bag, image)
    )
    candidates = pose_candidates(bag)
    unknown = pose is None and len(candidates) != 1
    if pose_source in ('tf', 'none') or (pose_source == 'sfm' and unknown):
        return BagTopics(image, camera_info, None)
    return BagTopics(image, camera_info, _choose(bag, 'pose', pose, POSE_TYPES, candidates))


def image_candidates(bag: Bag) -> list[str]:
    """Topics with colour or grey images, as far as their names tell."""
    return [name for name in _of_type(bag, IMAGE_TYPES) if 'depth' not in name.lower()]


def pose_candidates(bag: Bag) -> list[str]:
    """Topics with measured poses of something, as far as their names tell."""
    return [name for name in _of_type(bag, POSE_TYPES) if not _COMMANDS.search(name)]


def out_folder(bag: Bag) -> str:
    """Where what is extracted may go, in commands that are suggested."""
    return f'{bag.path.resolve().stem}_data'


def is_rectified(image_topic: str) -> bool:
    """ROS calls undistorted images image_rect, image_rect_color and so on."""
    return 'image_rect' in image_topic


def camera_info_candidates(bag: Bag, image: str) -> list[str]:
    """The camera_info topic beside the images; where there is none, all."""
    candidates = _of_type(bag, CAMERA_INFO_TYPES)
    beside = f'{_namespace(image)}/camera_info'
    return [beside] if beside in candidates else candidates


def _choose(
    bag: Bag, kind: str, name: str | None, types: tuple[str, ...], found: list[str]
) -> str:
    option = _OPTIONS[kind]
    if name is not None:
        if name not in bag.topics:
            raise BagError(
                f'{bag.path}: there is no topic {name}; there are {bag.describe_topics()}'
            )
        topic = bag.topics[name]
        if topic.type not in types:
            wanted = ' or '.join(kind.rsplit('/')[-1] for kind in types)
            raise BagError(
                f'{bag.path}: {option} {name} is of type {topic.type}, {wanted} is needed'
            )
        if not topic.count:
            raise BagError(f'{bag.path}: topic {name} holds no messages')
        return name
    if not found:
        instead = ''
        if kind == 'pose':
            sfm = stage('extract_bag', bag.path, '--out', out_folder(bag), '--poses', 'sfm')
            instead = f', take them from TF with --pose-source tf, or from the images alone: {sfm}'
        raise BagError(
            f'{bag.path}: the bag holds no {kind} topic; there are {bag.describe_topics()}; '
            f'name one with {option}{instead}'
        )
    if len(found) > 1:
        raise BagError(
            f'{bag.path}: there are {len(found)} {kind} topics, choose one with {option}: '
            f'{", ".join(found)}; --list shows more of each'
        )
    return found[0]


def _of_type(bag: Bag, types: tuple[str, ...]) -> list[str]:
    return [topic.name for topic in bag.topics.values() if topic.type in types and topic.count]


def _namespace(image_topic: str) -> str:
    """Where a driver puts the camera_info of /ns/image_raw and /ns/image_raw/compressed: /ns."""
    return image_topic.removesuffix('/compressed').rpartition('/')[0]
