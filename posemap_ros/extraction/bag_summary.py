"""What a bag holds, and the commands that would make a dataset of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from posemap_ros.extraction.bag import Bag, BagError
from posemap_ros.extraction.bag_poses import RecordedPoses, carriers_of
from posemap_ros.extraction.bag_topics import (
    CAMERA_INFO_TYPES,
    TF_TYPES,
    camera_info_candidates,
    image_candidates,
    out_folder,
    pose_candidates,
)
from posemap_ros.messages.transform_tree import NotConnected, TransformTree
from posemap_ros.support.commands import stage

_TF_MESSAGES = 3000  # enough to meet every frame of a robot


def summarize_bag(path: Path) -> str:
    """A table of topics, with those marked that can be used, and commands to copy."""
    with Bag(path) as bag:
        uses = {name: '--image-topic' for name in image_candidates(bag)}
        uses |= {name: '--pose-topic' for name in pose_candidates(bag)}
        for topic in bag.topics.values():
            if topic.type in CAMERA_INFO_TYPES:
                uses[topic.name] = '--camera-info-topic'
            elif topic.type in TF_TYPES:
                uses[topic.name] = '--pose-source tf'
        start, end = bag.span_ns
        width = max(map(len, bag.topics))
        lines = [f'{path}: {(end - start) / 1e9:.1f} s']
        for topic in bag.topics.values():
            use = f'  {uses[topic.name]}' if topic.name in uses else ''
            lines.append(f'{topic.count:8d}  {topic.name:{width}}  {topic.type}{use}')
        return '\n'.join([*lines, *_suggestions(bag)])


def _suggestions(bag: Bag) -> Iterator[str]:
    """Commands that may work, each below a comment that says what its poses would be."""
    tree = _read_tf(bag)
    for image in image_candidates(bag):
        infos = camera_info_candidates(bag, image)
        if not infos:
            yield f'\n# {image} cannot be used: no camera_info topic tells its calibration'
            continue
        camera = _first(bag, image).header.frame_id.lstrip('/')
        options = ['--out', out_folder(bag), '--image-topic', image]
        if len(infos) > 1:
            options += ['--camera-info-topic', infos[0]]
        for remark, poses in [*_from_topics(bag, tree, camera), *_from_tf(tree, camera)]:
            yield f'\n# {remark}\n{stage("extract_bag", bag.path, *options, *poses)}'
        yield (
            f'\n# poses found from the images of {image} alone; takes long\n'
            f'{stage("extract_bag", bag.path, *options, "--poses", "sfm")}'
        )


def _from_topics(bag: Bag, tree: TransformTree, camera: str) -> Iterator[tuple[str, list[str]]]:
    """Whose poses they are is known of Odometry; otherwise, either the camera's or its robot's."""
    for name in pose_candidates(bag):
        message = _first(bag, name)
        world = message.header.frame_id
        holder = getattr(message, 'child_frame_id', '').lstrip('/')
        if not holder:
            for owner in dict.fromkeys([camera, *carriers_of(tree, camera)[:1]]):
                yield (
                    f'if the poses on {name}, in {world}, are those of {owner}',
                    ['--pose-topic', name, '--pose-frame', owner],
                )
        elif holder == camera or _connected(tree, holder, camera):
            yield (
                f'poses of {holder} in {world}, and TF from there to {camera}',
                ['--pose-topic', name],
            )
        else:
            yield (
                f'if the poses on {name} are those of {camera}: they say {holder}, which no TF '
                'in the bag connects with it',
                ['--pose-topic', name, '--pose-frame', camera],
            )


def _from_tf(tree: TransformTree, camera: str) -> Iterator[tuple[str, list[str]]]:
    """From the outermost frame, or from `map`, if something moves on the way to the camera."""
    try:
        way = tree.ancestors(camera)
    except NotConnected:
        return
    world = 'map' if 'map' in way else way[-1]
    if tree.span_ns(world, camera) is not None:
        yield (
            f'poses of {camera} in {world} from TF: {" -> ".join(reversed(way))}',
            ['--pose-source', 'tf', '--map-frame', world],
        )


def _read_tf(bag: Bag) -> TransformTree:
    poses = RecordedPoses(max_gap_ns=0)
    topics = {name for name, topic in bag.topics.items() if topic.type in TF_TYPES}
    for topic, data in islice(bag.messages(topics), _TF_MESSAGES):
        poses.add_tf(bag.parse(topic, data), static=topic.endswith('tf_static'))
    return poses.tree


def _first(bag: Bag, topic: str) -> Any:
    message = next(bag.messages({topic}), None)
    if message is None:
        raise BagError(f'{bag.path}: topic {topic} holds no messages; was the bag cut short?')
    return bag.parse(*message)


def _connected(tree: TransformTree, target: str, source: str) -> bool:
    try:
        tree.lookup(target, source, 0)
    except NotConnected:
        return False
    return True
