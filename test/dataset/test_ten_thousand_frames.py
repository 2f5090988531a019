"""A dataset of 10,000 frames opens in less than 1 GB, and no image is read on the way."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from posemap_ros.dataset.image_io import write_image

COUNT = 10_000
# Only the first image is one: the others are empty, so whoever reads them stumbles.
# The peak of its own memory: ru_maxrss begins with that of the process that started it.
OPEN = """
import sys
from pathlib import Path
from posemap_ros.dataset import open_dataset
dataset = open_dataset(sys.argv[1])
assert dataset.load(0).shape == (480, 640, 3)
print(len(dataset), Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])
"""


def write_images(root, name):
    """One image and empty files, called by their number."""
    paths = [root / name(i) for i in range(COUNT)]
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    write_image(paths[0], np.zeros((480, 640, 3), np.uint8))
    (root / 'empty').touch()
    for path in paths[1:]:
        os.link(root / 'empty', path)


def pose(i):
    T = np.eye(4)
    T[0, 3] = 0.01 * i
    return T


def write_transforms(root):
    write_images(root, lambda i: f'images/{i:06d}.jpg')
    frames = [
        {
            'file_path': f'images/{i:06d}.jpg',
            'transform_matrix': pose(i).tolist(),
            'fl_x': 525 + i / COUNT,
            'w': 640,
            'h': 480,
        }
        for i in range(COUNT)
    ]
    (root / 'transforms.json').write_text(json.dumps({'frames': frames}, indent=1))


def write_7scenes(root):
    write_images(root, lambda i: f'seq-{i // 1000:02d}/frame-{i % 1000:06d}.color.png')
    np.savetxt(root / 'pose', pose(1))
    for i in range(COUNT):
        os.link(root / 'pose', root / f'seq-{i // 1000:02d}/frame-{i % 1000:06d}.pose.txt')


def write_cambridge(root):
    write_images(root, lambda i: f'seq1/frame{i:05d}.png')
    lines = [
        f'seq1/frame{i:05d}.jpg {1670 + i / COUNT} 1 0 0 0 {0.01 * i} 0 0 -0.04 0'
        for i in range(COUNT)
    ]
    (root / 'reconstruction.nvm').write_text('\n'.join(['NVM_V3', '', str(COUNT), *lines]))


def write_tum(root):
    write_images(root, lambda i: f'rgb/{1305031102 + i / 30:.6f}.png')
    lines = [f'{1305031102 + i / 100:.4f} {0.01 * i} 0 0 0 0 0 1' for i in range(34_000)]
    (root / 'groundtruth.txt').write_text('\n'.join(lines))


def write_colmap(root):
    pycolmap = pytest.importorskip('pycolmap')
    write_images(root, lambda i: f'images/{i:06d}.jpg')
    model = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        camera_id=1, model='PINHOLE', width=640, height=480, params=[525, 525, 320, 240]
    )
    model.add_camera_with_trivial_rig(camera)
    keypoints = np.random.default_rng(0).uniform(0, 480, (100, 2))
    for i in range(COUNT):
        image = pycolmap.Image(
            name=f'{i:06d}.jpg', camera_id=1, image_id=i + 1, keypoints=keypoints
        )
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose(i)[:3]))
    (root / 'sparse' / '0').mkdir(parents=True)
    model.write_binary(root / 'sparse' / '0')


@pytest.mark.parametrize(
    'write', [write_transforms, write_7scenes, write_cambridge, write_tum, write_colmap]
)
def test_ten_thousand_frames_take_less_than_a_gigabyte(tmp_path, write):
    root = tmp_path / 'freiburg1'  # whose camera the TUM reader knows
    root.mkdir()
    write(root)
    done = subprocess.run(
        [sys.executable, '-c', OPEN, str(root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    count, kilobytes = map(int, done.stdout.split())
    print(f'{write.__name__}: {kilobytes / 1e6:.2f} GB')
    assert count == COUNT
    assert kilobytes < 1e6
