import re
from dataclasses import replace

import numpy as np
import pytest
from textured_room import CAMERA, drive

from posemap_ros.check.conventions import AS_GIVEN
from posemap_ros.check.geometry_findings import judge_geometry


def rigid(R, t):
    T = np.tile(np.eye(4), (len(R), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = R, t
    return T


def judged(room, poses=None, camera=None):
    dataset = room.dataset if camera is None else replace(room.dataset, camera=camera)
    fit = room.fit(poses, camera)
    return fit, {f.subject: f for f in judge_geometry(dataset, room.pairs, fit, room.timeline)}


def faults(findings):
    return [subject for subject, finding in findings.items() if finding.severity != 'ok']


R, t = drive(60)[:, :3, :3], drive(60)[:, :3, 3:]
R_T = np.swapaxes(R, 1, 2)
BODY = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # columns: the optical axes in the body
WRITTEN = {
    'inverted: world': rigid(R_T, (-R_T @ t)[..., 0]),
    'OpenGL': rigid(R @ np.diag([1.0, -1, -1]), t[..., 0]),
    'inverted, and y and z': rigid(
        np.diag([1.0, -1, -1]) @ R_T, (np.diag([-1.0, 1, 1]) @ R_T @ t)[..., 0]
    ),
    "in a body's axes": rigid(R @ BODY.T, t[..., 0]),
    'left-handed': rigid(
        np.diag([1.0, -1, 1]) @ R @ np.diag([1.0, -1, 1]), (np.diag([1.0, -1, 1]) @ t)[..., 0]
    ),
    'upside down': rigid(R @ np.diag([-1.0, -1, 1]), t[..., 0]),
    'half inverted: the rotation is world': rigid(R_T, t[..., 0]),
    'half inverted: the rotation is camera': rigid(R, (-R_T @ t)[..., 0]),
}


def test_right_data_have_no_fault(room):
    fit, findings = judged(room)
    assert len(room.pairs) > 60
    assert fit.convention is AS_GIVEN
    assert fit.focal.best == pytest.approx(1.0, abs=0.01)
    assert fit.offset.best == pytest.approx(0.0, abs=0.005)
    assert faults(findings) == []
    assert list(findings) == ['pose convention', 'focal length', 'time offset']


@pytest.mark.parametrize('name', WRITTEN)
def test_a_wrong_convention_is_named_and_nothing_else(room, name):
    fit, findings = judged(room, WRITTEN[name])
    assert faults(findings) == ['pose convention']
    assert findings['pose convention'].severity == 'fault'
    assert name in findings['pose convention'].text
    # The formula is what it says: it makes relative poses right, in whatever world.
    corrected, true = fit.convention.correct(WRITTEN[name]), drive(60)
    np.testing.assert_allclose(
        np.linalg.inv(corrected[0]) @ corrected, np.linalg.inv(true[0]) @ true, atol=1e-9
    )


def test_a_wrong_focal_length_is_named_with_the_right_one(room):
    wrong = replace(CAMERA, fx=CAMERA.fx * 585 / 525, fy=CAMERA.fy * 585 / 525)
    fit, findings = judged(room, camera=wrong)
    assert faults(findings) == ['focal length']
    assert fit.focal.best * wrong.fx == pytest.approx(CAMERA.fx, rel=0.01)
    assert '212 px, but the images fit 190 px' in findings['focal length'].text


@pytest.mark.parametrize(
    ('frames', 'when', 'way_out'),
    [
        (2, 'earlier', r'--pose-delay -0\.2.*add 0\.2'),
        (-2, 'later', r'--pose-delay 0\.2.*subtract 0\.2'),
    ],
)
def test_a_time_offset_is_named_with_its_sign(room, frames, when, way_out):
    # Each image gets the pose of 0.2 s later, or earlier.
    moved = drive(60)[np.clip(np.arange(60) + frames, 0, 59)]
    fit, findings = judged(room, moved)
    assert faults(findings) == ['time offset']
    assert findings['time offset'].severity == 'fault'
    sentence = findings['time offset'].sentence
    assert f'for that much {when}' in sentence and re.search(way_out, sentence)
    assert fit.offset.best == pytest.approx(-0.2 * np.sign(frames), abs=0.02)


def test_two_mistakes_are_both_named(room):
    wrong = replace(CAMERA, fx=CAMERA.fx * 0.85, fy=CAMERA.fy * 0.85)
    _, findings = judged(room, WRITTEN['inverted: world'], wrong)
    assert faults(findings) == ['pose convention', 'focal length']


def test_poses_of_other_images_fit_in_no_convention(room):
    shuffled = drive(60)[np.random.default_rng(0).permutation(60)]
    _, findings = judged(room, shuffled)
    assert list(findings) == ['pose convention']  # the rest would mean nothing
    assert 'do not belong to the images, in any convention' in findings['pose convention'].text


def test_a_camera_that_drives_straight_cannot_tell_conventions_apart(room):
    """Matched points are made up: along a straight line without turning, flipped axes fit, too."""
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (60, 1, 1))
    poses[:, 2, 3] = 0.1 * np.arange(60)
    points = rng.uniform((-2, -2, 8), (2, 2, 14), (60, 3))
    a, b = room.pairs.a, room.pairs.b
    seen = [CAMERA.project(points - poses[index, None, :3, 3]) for index in (a, b)]
    pairs = replace(room.pairs, points_a=seen[0], points_b=seen[1])
    made_up = replace(room, pairs=pairs)
    _, findings = judged(made_up, poses)
    assert findings['pose convention'].severity == 'warning'
    assert 'so would other conventions' in findings['pose convention'].text
