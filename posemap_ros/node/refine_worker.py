"""The child process of refinement.py: aligns an environment on the frames in a folder.

Reads job.json and the images from the folder given as its only argument. Writes lines of JSON to
standard output: {"progress": [fraction, text]}, and at the end {"result": {...}} or {"error":
sentence}. Each byte on its standard input tells it to rest for a moment. When that ends it removes
the folder, because whoever made it may have been killed, and stops.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

# Nothing of ours is imported here: that takes seconds, in which this process has to be out of the
# way of localization already.

# Still a seventh of a processor that is wanted by all: at the lowest there is, a refine beside two
# busy processes takes an hour.
_NICENESS = 8
_OOM_SCORE = 800  # of 1000
# Stepping back is not enough where two processors are one core's: whatever runs on the other slows
# localization down. So it rests when it is told to.
REST, REST_SECONDS = b'r', 0.3


def main() -> None:
    """Entry point of ``python -m posemap_ros.node.refine_worker FOLDER``."""
    # Whatever a library prints must not get between the lines of JSON.
    reports = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(REST_SECONDS))
    threading.Thread(target=_obey, args=[folder], daemon=True).start()
    _step_back()
    try:
        answer = {'result': _align(folder, reports)}
    except KeyboardInterrupt:
        answer = {'error': 'it was stopped'}
    except Exception as error:  # whatever it is, the node has to tell it to whoever asked
        answer = {'error': f'{type(error).__name__}: {" ".join(str(error).split())}'}
    _report(reports, answer)


def _align(folder: Path, reports: TextIO) -> dict[str, Any]:
    import cv2
    import torch

    from posemap_ros.alignment.align import align_environment
    from posemap_ros.node.refine_job import RefineJob, read_images

    job = RefineJob.read(folder)
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
        said['autogroup'] = _NICENESS
    for file, value in said.items():
        with suppress(OSError):  # not Linux, or not allowed
            Path('/proc/self', file).write_text(str(value))


def _obey(folder: Path) -> None:
    # Not sys.stdin: a thread that waits in it keeps the interpreter from ending in peace.
    while os.read(0, 1024):
        # Python's handlers run in the main thread, whatever that is at.
        os.kill(os.getpid(), signal.SIGUSR1)
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    main()
