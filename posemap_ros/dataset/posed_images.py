"""Images of one camera with the pose each was taken from: what every reader gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.image_io import read_image


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """One image and the pose of its camera: camera to world, metres, OpenCV axes."""

    name: str  # unique in its dataset, as split files give it: the path without its ending
    path: Path
    T_world_cam: np.ndarray  # [4, 4] float64
    stamp_ns: int | None = None


@dataclass(frozen=True, eq=False)
class PosedImages:
    """Frames of one camera. Images stay on disk until `load` reads them.

    Raises `DatasetError` if there is no frame, or two of the same name.
    """

    root: Path
    camera: Camera
    frames: tuple[PosedFrame, ...]

    def __post_init__(self) -> None:
        if not self.frames:
            raise DatasetError(f'{self.root}: the dataset has no frames')
        twice = [name for name, n in Counter(f.name for f in self.frames).items() if n > 1]
        if twice:
            raise DatasetError(f'{self.root}: {some(twice, "frame name")} more than once')

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def poses(self) -> np.ndarray:
        """T_world_cam of all frames: [n, 4, 4] float64."""
        return np.stack([frame.T_world_cam for frame in self.frames])

    def load(self, index: int) -> np.ndarray:
        """The image as it is on disk: uint8 RGB [camera.height, camera.width, 3].

        Raises `ImageError` if it cannot be read or has another size.
        """
        return read_image(self.frames[index].path, size=(self.camera.width, self.camera.height))

    def select(self, names: Iterable[str]) -> PosedImages:
        """The frames with these names, in this order. Raises `DatasetError` for an unknown one."""
        by_name = {frame.name: frame for frame in self.frames}
        names = list(names)
        if unknown := [name for name in names if name not in by_name]:
            raise DatasetError(
                f'{self.root}: {some(unknown, "frame")} not in the dataset, '
                f'whose frames have names like {self.frames[0].name!r}'
            )
        return replace(self, frames=tuple(by_name[name] for name in names))

    def thinned(self, fraction: float) -> PosedImages:
        """An evenly spread share of the frames in their order: 0.2 takes every fifth."""
        count = max(1, round(fraction * len(self)))
        chosen = (i * len(self) // count for i in range(count))
        return replace(self, frames=tuple(self.frames[i] for i in chosen))
