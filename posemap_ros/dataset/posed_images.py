"""Images with the pose and the camera each was taken by: what every reader gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from posemap_ros.camera import Camera, CameraMismatch, ImageAdapter
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.image_io import read_image
from posemap_ros.support import commands

# Few, because their tables are as large as images, and a dataset may have a camera for each frame.
_adapter = lru_cache(maxsize=4)(ImageAdapter)
_seen = lru_cache(maxsize=4)(lambda source, target: _adapter(source, target).seen())


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """One image and the pose of its camera: camera to world, OpenCV axes."""

    name: str  # unique in its dataset, as split files give it: the path without its ending
    path: Path
    T_world_cam: np.ndarray | None = None  # [4, 4] float64; None: not known
    stamp_ns: int | None = None
    camera: Camera | None = None  # None: the dataset's


@dataclass(frozen=True, eq=False)
class PosedImages:
    """Frames and their cameras. Images stay on disk until `load` or `load_as` reads them.

    Attributes:
        root: the dataset's folder.
        camera: the one that stands for all: what is learned is learned for its view. Frames may
            have another (zoom, autofocus, several cameras), see `camera_of`.
        frames: in order of time within each drive.
        parts: the division that the dataset comes with, if any: names of frames by 'train' and
            'test'.
        metric: whether positions are in metres. Poses from images alone have a scale of their own.

    Raises `DatasetError` if there is no frame, or two of the same name, or one that no list can
    hold.
    """

    root: Path
    camera: Camera
    frames: tuple[PosedFrame, ...]
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metric: bool = True

    @classmethod
    def of(
        cls,
        root: Path,
        frames: Iterable[PosedFrame],
        parts: Mapping[str, tuple[str, ...]] | None = None,
        *,
        metric: bool = True,
    ) -> PosedImages:
        """Of frames that each have a camera; the typical one stands for all."""
        frames = tuple(frames)
        if not frames:
            raise DatasetError(f'{root}: the dataset has no frames')
        return cls(root, _typical(frame.camera for frame in frames), frames, parts or {}, metric)

    def __post_init__(self) -> None:
        if not self.frames:
            raise DatasetError(f'{self.root}: the dataset has no frames')
        twice = [name for name, n in Counter(f.name for f in self.frames).items() if n > 1]
        if twice:
            raise DatasetError(f'{self.root}: {some(twice, "frame name")} more than once')
        if odd := next((name for name in self.names if not name.isprintable()), None):
            raise DatasetError(
                f'{self.root}: {odd!r} cannot be written in a list; rename the file'
            )
        for camera in {self.camera, *(frame.camera or self.camera for frame in self.frames)}:
            if doubt := camera.implausible():
                raise DatasetError(f'{self.root}: {camera} is no real camera: {doubt}')

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def names(self) -> list[str]:
        """The frames' names, in order."""
        return [frame.name for frame in self.frames]

    @property
    def folders(self) -> list[str]:
        """The folder of each frame: a drive, or one camera of it, see `find_drives`."""
        return [str(PurePosixPath(name).parent) for name in self.names]

    @property
    def unit(self) -> str:
        """Of positions: 'm', or 'units' where the scale is arbitrary."""
        return 'm' if self.metric else 'units'

    @property
    def is_posed(self) -> bool:
        """Is the pose of every frame known?"""
        return all(frame.T_world_cam is not None for frame in self.frames)

    @property
    def poses(self) -> np.ndarray:
        """T_world_cam of all frames: [n, 4, 4] float64. Raises `DatasetError` without them."""
        if not self.is_posed:
            raise DatasetError(without_poses(self.root))
        return np.stack([frame.T_world_cam for frame in self.frames])

    def camera_of(self, index: int) -> Camera:
        """The camera that took this frame."""
        return self.frames[index].camera or self.camera

    def load(self, index: int) -> np.ndarray:
        """The image as it is on disk: uint8 RGB [height, width, 3] of `camera_of(index)`.

        Raises `ImageError` if it cannot be read or has another size.
        """
        camera = self.camera_of(index)
        return read_image(self.frames[index].path, size=(camera.width, camera.height))

    def load_as(self, index: int, camera: Camera) -> np.ndarray:
        """The image as `camera`, without distortion, would have taken it from the same pose.

        Raises `ImageError` as `load` does, `CameraMismatch` if the frame's camera saw too little.
        """
        try:
            adapter = _adapter(self.camera_of(index), camera)
        except CameraMismatch as error:
            raise CameraMismatch(f'{self.frames[index].path}: {error}') from None
        return adapter(self.load(index))

    def seen_as(self, index: int, camera: Camera) -> np.ndarray:
        """Which pixels of `load_as` the frame's camera saw, bool [height, width]; the others are
        black, as its undistortion leaves them.
        """
        return _seen(self.camera_of(index), camera)

    def select(self, names: Iterable[str]) -> PosedImages:
        """The frames with these names, or of these files, in this order.

        The folder may be left out where that leaves no doubt. Raises `DatasetError` for an unknown
        one.
        """
        names = list(names)
        found = {name: self._find(name) for name in names}
        if unknown := [name for name in names if found[name] is None]:
            raise DatasetError(
                f'{self.root}: {some(unknown, "frame")} not in the dataset, '
                f'whose frames have names like {self.frames[0].name!r}'
            )
        return replace(self, frames=tuple(self.frames[found[name]] for name in names))

    def thinned(self, fraction: float) -> PosedImages:
        """An evenly spread share of the frames in their order: 0.2 takes every fifth."""
        count = max(1, round(fraction * len(self)))
        chosen = (i * len(self) // count for i in range(count))
        return replace(self, frames=tuple(self.frames[i] for i in chosen))

    def _find(self, name: str) -> int | None:
        index = self._by_name.get(name)
        return self._by_alias.get(name) if index is None else index

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def _by_alias(self) -> dict[str, int]:
        """Frames by what else people call them, if only one is called so: their files, and both
        without the folder.
        """
        called: dict[str, set[int]] = {}
        for i, frame in enumerate(self.frames):
            short, suffix = PurePosixPath(frame.name).name, frame.path.suffix
            aliases = {f'{frame.name}{suffix}', short, f'{short}{suffix}', frame.path.name}
            if frame.path.is_relative_to(self.root):
                aliases.add(frame.path.relative_to(self.root).as_posix())
            for alias in aliases:
                called.setdefault(alias, set()).add(i)
        return {alias: i for alias, (i, *others) in called.items() if not others}


def without_poses(root: Path) -> str:
    """The sentence for images whose poses are needed, and not known."""
    found = commands.stage('sfm_poses', '--images', root, '--out', f'{root}_posed')
    return (
        f'{root}: these are images without poses, as far as can be read; structure from motion '
        f'finds them: {found}'
    )


def _typical(cameras: Iterable[Camera]) -> Camera:
    """Of the most frequent image size, the camera whose focal length is the median."""
    cameras = list(cameras)
    (size, _), *_ = Counter((camera.width, camera.height) for camera in cameras).most_common(1)
    alike = [camera for camera in cameras if (camera.width, camera.height) == size]
    return sorted(alike, key=lambda camera: camera.fx)[len(alike) // 2]
