"""The child process of refinement.py: aligns an environment on the frames in a folder.

Reads job.json and the images from the folder given as its only argument. Writes lines of JSON to
standard output: {"progress": [fraction, text]}, and at the end {"result": {...}} or {"error":
sentence}. When its standard input ends it removes the folder, because whoever made it may have
been killed, and stops.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, TextIO

import cv2

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame, PosedImages
from posemap_ros.node.frame_buffer import KeptFrame

JOB_FILE = 'job.json'
_CAMERAS_FILE, _IMAGE_FILE = 'cameras.json', '{:06d}.jpg'
# Of the process among its own, and of its session among others: so that it still gets a fifth of a
# processor that is wanted by all.
_NICENESS, _SESSION_NICENESS = 19, 5
_OOM_SCORE = 800  # of 1000


@dataclass(frozen=True)
class RefineJob:
    """What to align, from which revision on, and with how much of the machine."""

    environment: str
    revision: int
    device: str
    threads: int
    seconds: float


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
        [
            PosedFrame(name, folder / name, camera=camera)
            for name, camera in zip(names, cameras)
        ],
    )


def main() -> None:
    """Entry point of ``python -m posemap_ros.node.refine_worker FOLDER``."""
    # Whatever a library prints must not get between the lines of JSON.
    reports = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(sys.argv[1])
    threading.Thread(target=_stop_at_end_of_input, args=[folder], daemon=True).start()
    _step_back()
    try:
        answer = {'result': _align(folder, reports)}
    except KeyboardInterrupt:
        answer = {'error': 'it was stopped'}
    except Exception as error:  # whatever it is, the node has to tell it to whoever asked
        answer = {'error': f'{type(error).__name__}: {" ".join(str(error).split())}'}
    _report(reports, answer)


def _align(folder: Path, reports: TextIO) -> dict[str, Any]:
    import torch

    from posemap_ros.alignment.align import align_environment

    job = RefineJob(**json.loads((folder / JOB_FILE).read_text()))
    torch.set_num_threads(job.threads)
    cv2.setNumThreads(job.threads)
    result = align_environment(
        Path(job.environment),
        read_images(folder),
        revision=job.revision,
        seconds=job.seconds,
        device=job.device,
        progress=lambda fraction, text: _report(reports, {'progress': [float(fraction), text]}),
    )
    return asdict(result)


def _report(reports: TextIO, answer: dict[str, Any]) -> None:
    reports.write(json.dumps(answer, default=float) + '\n')


def _step_back() -> None:
    """Let localization go first: for the processor, and for who has to go when memory runs out."""
    os.nice(_NICENESS)
    said = {'oom_score_adj': _OOM_SCORE}
    if os.getsid(0) == os.getpid():
        # Where Linux shares the processor among sessions, niceness counts only inside each of
        # them (sched(7), "autogroup"), and the parent gave this process a session of its own.
        said['autogroup'] = _SESSION_NICENESS
    for file, value in said.items():
        with suppress(OSError):  # not Linux, or not allowed
            Path('/proc/self', file).write_text(str(value))


def _stop_at_end_of_input(folder: Path) -> None:
    # Not sys.stdin: a thread that waits in it keeps the interpreter from ending in peace.
    while os.read(0, 1024):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    main()
