"""Refine's child process, seen from its parent; test/ros sees it from outside the node."""

import threading
import time
from pathlib import Path

import pytest
from kept_frames import frames

from posemap_ros.camera import Camera
from posemap_ros.node.frame_buffer import KeptFrame
from posemap_ros.node.refine_job import RefineJob
from posemap_ros.node.refinement import RefineFailed, Refinement

CAMERA = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)
# There is nothing in them, because no test gets as far as to look.
FRAMES = [KeptFrame(float(stamp), None, CAMERA, b'') for stamp in range(8)]


def job(environment: str) -> RefineJob:
    return RefineJob(environment, revision=0, device='cpu', threads=1, seconds=600.0)


def test_what_the_alignment_refuses_comes_back_as_a_sentence():
    refinement = Refinement()
    with pytest.raises(RefineFailed, match='there is no environment folder /nowhere'):
        refinement.run(job('/nowhere'), FRAMES, timeout=300.0)
    assert refinement.status.startswith('failed: ')
    assert not refinement.running


def test_one_that_takes_too_long_is_stopped():
    refinement = Refinement()
    with pytest.raises(RefineFailed, match='longer than refine_timeout'):
        refinement.run(job('/nowhere'), FRAMES, timeout=0.01)
    assert not refinement.running


def test_a_second_one_is_refused_and_cancel_ends_the_first():
    refinement = Refinement()
    ended = []

    def run() -> None:
        try:
            refinement.run(job('/nowhere'), FRAMES, timeout=300.0)
        except RefineFailed as error:
            ended.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive() and not refinement.running:
        time.sleep(0.001)
    with pytest.raises(RefineFailed, match='already running'):
        refinement.run(job('/nowhere'), FRAMES, timeout=300.0)
    refinement.cancel('the test is over')
    thread.join(60)
    assert ended == ['the test is over']


def test_it_goes_on_when_it_was_told_to_rest(environment: Path):
    """And is stopped as ever: the handler of a signal is not its end."""
    refinement, ended, begun = Refinement(), [], threading.Event()

    def run() -> None:
        try:
            refinement.run(
                job(str(environment)), frames(), 300.0, lambda fraction, text: begun.set()
            )
        except RefineFailed as error:
            ended.append(str(error))

    refinement.give_way()  # there is nobody who could
    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60)
    begun.clear()
    refinement.give_way()
    assert begun.wait(60)
    refinement.cancel('the test is over')
    thread.join(60)
    assert ended == ['the test is over']


def test_cancel_without_a_refine_does_nothing():
    refinement = Refinement()
    refinement.cancel('nothing to do')
    assert refinement.status == 'idle'
