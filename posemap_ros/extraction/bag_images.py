"""The pictures of a recording: a quick look at each, and writing those that are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.camera import Camera, CameraMismatch, ImageAdapter
from posemap_ros.dataset.errors import ImageError
from posemap_ros.dataset.image_io import decode_image, encode_image
from posemap_ros.extraction.bag import Bag, BagError
from posemap_ros.extraction.bag_topics import BagTopics
from posemap_ros.extraction.image_motion import ImageMotion
from posemap_ros.extraction.sharpness import sharpness
from posemap_ros.extraction.small_grey import small_grey, small_grey_of_file
from posemap_ros.extraction.undistortion import pinhole_inside
from posemap_ros.messages.image_message import UnsupportedImage, to_rgb
from posemap_ros.support.stopwatch import Stopwatch


@dataclass
class Damage:
    """Images that cannot be decoded: counted instead of stopping at the first."""

    topic: str
    faults: dict[int, str] = field(default_factory=dict)  # stamp -> what is wrong
    any_good: bool = False

    def add(self, stamp_ns: int, error: ImageError | UnsupportedImage) -> None:
        """Raises `BagError` if the very first image is of a kind that none can be decoded of."""
        if isinstance(error, UnsupportedImage) and not self.any_good and not self.faults:
            raise BagError(f'{self.topic}: {error}') from None
        self.faults[stamp_ns] = str(error)

    @property
    def example(self) -> str:
        """What is wrong with the first."""
        return next(iter(self.faults.values()))

    def of_all(self) -> str:
        """The sentence where no image is left."""
        return f'{self.topic}: all images are damaged; for example {self.example}'


@dataclass(frozen=True)
class Look:
    """What a quick look at an image tells."""

    stamp_ns: int
    sharpness: float
    moved: bool  # has the view changed enough since the last image of which this is true?


def look_at_images(
    bag: Bag,
    messages: Iterable[tuple[str, bytes]],
    wanted: Collection[int],
    motion: ImageMotion | None,
    damage: Damage,
) -> list[Look]:
    """Look at the images with the wanted stamps, each once; in order of time, without damaged."""
    waiting, looks = set(wanted), []
    for topic, data in messages:
        stamp = bag.stamp_ns(topic, data)
        if stamp not in waiting:
            continue
        waiting.remove(stamp)
        try:
            grey = _small_grey(bag.parse(topic, data), _called(stamp))
        except (ImageError, UnsupportedImage) as error:
            damage.add(stamp, error)
            continue
        damage.any_good = True
        looks.append(Look(stamp, sharpness(grey), motion is not None and motion.moved(grey)))
    return sorted(looks, key=lambda look: look.stamp_ns)


@dataclass
class ImageWriter:
    """Puts images into `folder`/images as files, and finds out which camera they are of.

    JPEG and PNG are taken over byte for byte, unless they are to be undistorted.
    """

    folder: Path
    camera: Camera  # of the files; once an image is written, of its size
    topics: BagTopics
    undistort: bool
    damage: Damage
    stopwatch: Stopwatch
    written: list[tuple[int, Path]] = field(default_factory=list)  # (stamp, file)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / 'images').mkdir()
        self._size: tuple[int, int] | None = None  # of the images in the bag
        self._adapter: ImageAdapter | None = None

    def add(self, message: Any, stamp_ns: int) -> None:
        """Raises `BagError` for an image that is no colour image, or of another camera."""
        with self.stopwatch.section('decoding'):
            try:
                content, image = _read(message, _called(stamp_ns))
            except (ImageError, UnsupportedImage) as error:
                self.damage.add(stamp_ns, error)
                return
        self.damage.any_good = True
        self._fit_camera((image.shape[1], image.shape[0]))
        if self._adapter is not None:
            with self.stopwatch.section('undistorting'):
                image, content = self._adapter(image), None
        if content is None:
            with self.stopwatch.section('encoding'):
                content = encode_image(image, '.jpg')
        suffix = '.png' if content.startswith(b'\x89PNG') else '.jpg'
        path = self.folder / 'images' / f'{len(self.written):06d}{suffix}'
        path.write_bytes(content)
        self.written.append((stamp_ns, path))

    def _fit_camera(self, size: tuple[int, int]) -> None:
        """Images that were scaled after calibration keep their shape; scale the camera too."""
        if size == self._size:
            return
        camera, topics = self.camera, self.topics
        width, height = size
        if self._size is not None:
            raise BagError(
                f'{topics.image}: images change size on the way, from '
                f'{self._size[0]}x{self._size[1]} to {width}x{height}'
            )
        if abs(width * camera.height - height * camera.width) > max(camera.width, camera.height):
            raise BagError(
                f'{topics.image}: images are {width}x{height}, but {topics.camera_info} is of a '
                f'camera of {camera.width}x{camera.height}'
            )
        self._size = size
        if size != (camera.width, camera.height):
            self.camera = camera.resized(width, height)
            self.notes.append(
                f'note: images are {width}x{height}, {topics.camera_info} is for '
                f'{camera.width}x{camera.height}; the intrinsics are scaled'
            )
        if self.undistort and self.camera.distortion_model != 'none':
            try:
                pinhole = pinhole_inside(self.camera)
            except CameraMismatch as error:
                raise BagError(f'{topics.camera_info}: {error}') from None
            self._adapter = ImageAdapter(self.camera, pinhole)
            self.notes.append(
                f'images are undistorted, from {self.camera.distortion_model} to a pinhole '
                f'camera with f = {pinhole.fx:.1f} px'
            )
            self.camera = pinhole


def _called(stamp_ns: int) -> str:
    return f'the image at {stamp_ns / 1e9:.3f} s'


def _is_file(message: Any) -> bool:
    """Does the message hold a JPEG or PNG file that shows the scene as it is?

    A compressed Bayer mosaic is a grey JPEG; only decoded does it show the scene.
    """
    kind = getattr(message, 'format', None)
    return kind is not None and 'bayer' not in kind and 'compressedDepth' not in kind


def _read(message: Any, name: str) -> tuple[bytes | None, np.ndarray]:
    """The file that the message holds, if it is one, and the picture: uint8 RGB [H, W, 3]."""
    if _is_file(message):
        content = bytes(message.data)
        return content, decode_image(content, name)
    return None, to_rgb(message)


def _small_grey(message: Any, name: str) -> np.ndarray:
    """The picture in grey [h, w], small."""
    if _is_file(message):
        return small_grey_of_file(bytes(message.data), name)
    return small_grey(to_rgb(message))
