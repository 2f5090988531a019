"""Makes the bags: renders a drive (resumable), then writes it as a rosbag2 (mcap) folder.

    python -m demo.make_bags mapping --frames /tmp/frames/mapping
    python -m demo.make_bags later --frames /tmp/frames/later

makes those in demo/bags; the README names those of a larger place.

Needs requirements/render.txt; `make demo` does not, it plays the bags that are shipped.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from . import flat
from .bag_writer import write_bag
from .camera import FOCAL_PX, HEIGHT, WIDTH
from .drives import LATER, MAPPING, Drive, camera_poses
from .scene import DAY, EVENING, TEXTURES, Light, Textures, Thing, later_room, mapped_room

BAGS = Path(__file__).parent / 'bags'


@dataclass(frozen=True)
class Recording:
    """A drive through a place in one state, and how the camera sees it."""

    drive: Drive
    room: Callable[[], dict[str, Thing]]
    light: Light
    gain_swing: float  # the exposure wanders by this share
    noise: float  # standard deviation of a middle grey, of 255
    jpeg_quality: int
    textures: Textures = field(default_factory=lambda: TEXTURES)


RECORDINGS = {
    'mapping': Recording(MAPPING, mapped_room, DAY, gain_swing=0.0, noise=0.7, jpeg_quality=82),
    'later': Recording(LATER, later_room, EVENING, gain_swing=0.12, noise=3.5, jpeg_quality=75),
    'flat_mapping': Recording(
        flat.MAPPING,
        flat.mapped_flat,
        flat.MIDDAY,
        gain_swing=0.0,
        noise=0.7,
        jpeg_quality=82,
        textures=flat.TEXTURES,
    ),
    'flat_walk': Recording(
        flat.LATER,
        flat.later_flat,
        flat.AFTERNOON,
        gain_swing=0.12,
        noise=3.5,
        jpeg_quality=75,
        textures=flat.TEXTURES,
    ),
}


def render_frames(recording: Recording, folder: Path, samples: int) -> None:
    """Write every frame that is not there yet as folder/00000.png."""
    from .render import Renderer

    folder.mkdir(parents=True, exist_ok=True)
    poses = camera_poses(recording.drive)
    missing = [i for i in range(len(poses)) if not (folder / f'{i:05d}.png').exists()]
    if not missing:
        return
    renderer = Renderer(recording.room(), recording.light, samples, recording.textures)
    began = time.monotonic()
    for done, index in enumerate(missing, 1):
        gain = 1 + recording.gain_swing * np.sin(2 * np.pi * index / 170)
        image = renderer.image(poses[index], seed=index, gain=gain)
        part = folder / 'part'
        Image.fromarray(np.round(255 * image).astype(np.uint8)).save(part, 'png')
        part.rename(folder / f'{index:05d}.png')
        left = (time.monotonic() - began) / done * (len(missing) - done)
        print(f'frame {index}, {len(missing) - done} to go, {left / 60:.1f} min', flush=True)


def photographed(image: np.ndarray, recording: Recording, index: int) -> bytes:
    """The frame as the sensor sends it: with shot and read noise, as JPEG."""
    rng = np.random.default_rng((recording.drive.seed, index))
    level = image / 255
    spread = recording.noise * np.sqrt(0.25 + 1.5 * (1 - level))  # strongest in the shadows
    noisy = np.clip(image + spread * rng.normal(size=image.shape), 0, 255).astype(np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(noisy).save(jpeg, 'JPEG', quality=recording.jpeg_quality)
    return jpeg.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('name', choices=RECORDINGS)
    parser.add_argument(
        '--frames',
        type=Path,
        required=True,
        help='folder for the rendered frames; those already there are kept',
    )
    parser.add_argument('--out', type=Path, help='folder of the bag (default: demo/bags/NAME)')
    parser.add_argument('--samples', type=int, default=8, help='light paths a pixel')
    arguments = parser.parse_args()
    recording = RECORDINGS[arguments.name]
    render_frames(recording, arguments.frames, arguments.samples)

    def jpeg(index: int) -> bytes:
        frame = np.asarray(Image.open(arguments.frames / f'{index:05d}.png'))
        return photographed(frame, recording, index)

    folder = arguments.out or BAGS / arguments.name
    write_bag(folder, recording.drive, jpeg, WIDTH, HEIGHT, FOCAL_PX)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f'{folder}: {recording.drive.frames} frames, {size / 1e6:.1f} MB')


if __name__ == '__main__':
    main()
