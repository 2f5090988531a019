"""What the command lines of all stages share: errors as one sentence, and arguments."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from posemap_ros.dataset import READERS
from posemap_ros.support.files import explain

CTRL_C = 130  # the exit code that shells expect of an interrupted program


def run_stage(
    name: str,
    work: Callable[[], None],
    *expected: type[Exception],
    when_stopped: str = 'nothing half-made is left behind',
) -> int:
    """Do the work; the exit code. Expected errors and OSErrors become one sentence on stderr.

    Anything else is a mistake of ours and keeps its traceback. `when_stopped` tells who pressed
    Ctrl-C how things stand.
    """
    logging.basicConfig(format='%(levelname)s: %(message)s')
    try:
        work()
    except KeyboardInterrupt:
        print(f'{name}: stopped; {when_stopped}', file=sys.stderr)
        return CTRL_C
    except OSError as error:
        print(f'{name}: {explain(error)}', file=sys.stderr)
        return 1
    except expected as error:
        print(f'{name}: {error}', file=sys.stderr)
        return 1
    return 0


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where a dataset is and how to read it."""
    add = parser.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help='dataset folder')
    add(
        '--format',
        choices=READERS,
        help='of the dataset (default: found by looking at the folder)',
    )


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that the training stages share."""
    add = parser.add_argument
    add_data_arguments(parser)
    add(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help='environment folder; OUT.work holds the work',
    )
    add(
        '--recipe',
        default='fast',
        metavar='NAME',
        help='one that ships, or a .yaml file; NAME+VARIANT changes what the variant says, for '
        'example fast+dfnet (default: %(default)s)',
    )
    add(
        '--split',
        type=Path,
        metavar='FILE',
        help='names of the frames to train on (default: train.txt of the data, or '
        'those that the dataset is meant to be trained on)',
    )
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    add(
        '--backbone-weights',
        type=Path,
        metavar='FILE',
        help='ImageNet weights of the backbone (default: its own source)',
    )
