"""What a refine's child process gets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kept_frames import frames
from tiny_environment import CAMERA, circle_of_poses, photograph

from posemap_ros.dataset import ImageError
from posemap_ros.node.refine_job import RefineJob, read_images, write_images


def test_a_job_arrives_as_it_was_given(tmp_path: Path) -> None:
    job = RefineJob('/somewhere', 2, device='cpu', threads=1, seconds=0.5)
    job.write(tmp_path)
    assert RefineJob.read(tmp_path) == job


def test_images_arrive_as_they_were_kept(tmp_path: Path) -> None:
    write_images(tmp_path, frames())
    arrived = read_images(tmp_path)
    assert len(arrived) == 8
    for index, pose in enumerate(circle_of_poses(8)):
        assert arrived.camera_of(index) == CAMERA
        off = np.abs(arrived.load(index).astype(int) - photograph(pose))
        assert np.mean(off) < 3.0


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    kept = frames()
    write_images(tmp_path, [replace(kept[0], camera=CAMERA.resized(32, 24)), *kept[1:]])
    with pytest.raises(ImageError, match='64x48'):
        read_images(tmp_path).load(0)
