import shutil
from dataclasses import replace

import numpy as np
import pytest
from textured_room import drive

from posemap_ros.check.motion import examine_motion, judge_motion
from posemap_ros.two_view.features import FeatureMatcher

DEPTH_M = 1.5


def examined(room, poses, matcher=None):
    matcher = matcher or room.matcher
    return examine_motion(matcher, poses, room.matcher.camera, room.timeline, DEPTH_M)


def findings(room, motion):
    return {f.subject: f for f in judge_motion(motion, room.dataset.names)}


def test_a_drive_neither_jumps_nor_stands_still(room):
    motion = examined(room, drive(60))
    assert (motion.jumps, motion.stuck, motion.repeated) == ((), (), ())
    assert {f.severity for f in findings(room, motion).values()} == {'ok'}
    assert np.nanmax(motion.steps_m) == pytest.approx(
        np.linalg.norm(np.diff(drive(60)[:, :3, 3], axis=0), axis=1).max()
    )


def test_a_jump_that_the_images_do_not_make_is_found(room):
    poses = drive(60)
    poses[30:, :3, 3] += (1.5, 0.0, 0.5)
    motion = examined(room, poses)
    assert motion.jumps == ((29, 30),)
    found = findings(room, motion)
    assert found['pose jumps'].severity == 'fault'
    assert 'images/0029 -> images/0030' in found['pose jumps'].text
    assert found['duplicates'].severity == 'ok'


def test_a_cut_in_the_recording_is_no_jump(room):
    """The images jump as well: frames 20 to 39 are missing."""
    kept = [*range(20), *range(40, 60)]
    frames = tuple(room.dataset.frames[i] for i in kept)
    matcher = FeatureMatcher(replace(room.dataset, frames=frames))
    timeline = replace(
        room.timeline,
        seconds=room.timeline.seconds[:40],
        order=np.arange(40),
        drive=np.zeros(40, int),
    )
    motion = examine_motion(matcher, drive(60)[kept], matcher.camera, timeline, DEPTH_M)
    assert motion.jumps == ()


def test_a_pose_that_stands_still_while_the_image_moves_is_one_fault(room):
    poses = drive(60)
    poses[20:26] = poses[20]
    motion = examined(room, poses)
    assert motion.stuck == ((20, 25),)
    assert motion.stuck_frames == 5
    found = findings(room, motion)
    assert found['duplicates'].severity == 'fault'
    assert '8 % of the frames' in found['duplicates'].text
    assert found['pose jumps'].severity == 'ok'  # that it makes up for it afterwards is the same


def test_a_robot_that_stands_still_is_fine(room, tmp_path):
    """One image many times with one pose."""
    root = shutil.copytree(room.dataset.root, tmp_path / 'room')
    for i in range(21, 26):
        shutil.copy(root / 'images/0020.jpg', root / f'images/{i:04d}.jpg')
    frames = tuple(replace(f, path=root / f'{f.name}.jpg') for f in room.dataset.frames)
    matcher = FeatureMatcher(replace(room.dataset, root=root, frames=frames))
    still = drive(60)
    still[20:26] = still[20]
    motion = examined(room, still, matcher)
    assert (motion.stuck, motion.repeated) == ((), ())
    # With poses that move on, the camera has sent one image again and again.
    motion = examined(room, drive(60), matcher)
    assert motion.repeated == tuple((i, i + 1) for i in range(20, 25))
    assert findings(room, motion)['duplicates'].severity == 'fault'
