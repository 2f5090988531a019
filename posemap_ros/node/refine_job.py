"""What the node and its refine's child process hand over: a folder with a job and its images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame, PosedImages
from posemap_ros.node.frame_buffer import KeptFrame

_JOB_FILE, _CAMERAS_FILE, _IMAGE_FILE = 'job.json', 'cameras.json', '{:06d}.jpg'


@dataclass(frozen=True)
class RefineJob:
    """What to align, from which revision on, and with how much of the machine."""

    environment: str
    revision: int
    device: str
    threads: int
    seconds: float

    def write(self, folder: Path) -> None:
        """Put it into its folder."""
        (folder / _JOB_FILE).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> RefineJob:
        """What `write` wrote."""
        return cls(**json.loads((folder / _JOB_FILE).read_text()))


def write_images(folder: Path, frames: list[KeptFrame]) -> None:
    """Put images into a job's folder."""
    for index, frame in enumerate(frames):
        (folder / _IMAGE_FILE.format(index)).write_bytes(frame.jpeg)
    cameras = [frame.camera.to_dict() for frame in frames]
    (folder / _CAMERAS_FILE).write_text(json.dumps(cameras))


def read_images(folder: Path) -> PosedImages:
    """What `write_images` wrote; without poses."""
    cameras = map(Camera.from_dict, json.loads((folder / _CAMERAS_FILE).read_text()))
    names = (_IMAGE_FILE.format(index) for index in count())
    return PosedImages.of(
        folder,
        [PosedFrame(name, folder / name, camera=camera) for name, camera in zip(names, cameras)],
    )
