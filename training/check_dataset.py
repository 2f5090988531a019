"""Say whether a dataset can work, before an hour of training is lost.

Tests the poses against the images: their convention, the focal length, a time offset, jumps and
duplicates, scale; and looks at exposure, coverage, the split, and what retrieval would give.
Writes one HTML page with pictures, and check.yaml, by which a build on the data knows the outcome.
The exit code is 0 only where nothing stands against training.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from posemap_ros.check import check_dataset, is_content
from posemap_ros.check.record import write_record
from posemap_ros.check.report import make_report
from posemap_ros.check.split import judge_training
from posemap_ros.dataset import PosedImages, leave_out_narrow, open_dataset
from posemap_ros.dataset.open_dataset import part_names, select_part
from posemap_ros.support.command_line import add_data_arguments, run_stage
from posemap_ros.support.files import check_writable, explain
from posemap_ros.support.progress import progress_bar

NOT_CONTENT = 1


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='check_dataset', description=__doc__)
    add = parser.add_argument
    add_data_arguments(parser)
    add(
        '--html',
        type=Path,
        metavar='FILE',
        help='where to write the page (default: check.html in the data)',
    )
    arguments = parser.parse_args(argv)
    content = False

    def work() -> None:
        nonlocal content
        whole = open_dataset(arguments.data, kind=arguments.format)
        dataset = leave_out_narrow(whole)
        page = arguments.html or arguments.data / 'check.html'
        check_writable(page)
        used = set(dataset.names)
        training = dataset.select(n for n in select_part(whole, 'train').names if n in used)
        checked = check_dataset(dataset, split_of(whole, dataset), progress_bar)
        checked = replace(checked, findings=[*judge_training(training), *checked.findings])
        for finding in checked.findings:
            print(finding)
        make_report(checked).write(page)
        print(f'wrote {page}')
        try:
            write_record(whole, checked.findings)
        except OSError as error:
            print(f'note: a build will not know of this check: {explain(error)}')
        content = is_content(checked.findings)

    failed = run_stage('check_dataset', work, ValueError)
    return failed or (0 if content else NOT_CONTENT)


def split_of(whole: PosedImages, used: PosedImages) -> tuple[list[int], list[int]] | None:
    """Indices of training and test frames among those of a dataset that are used, if it is
    divided; see `part_names`.

    Raises `DatasetError` if a part names what is no frame.
    """
    index = {name: i for i, name in enumerate(used.names)}
    train, test = (
        [index[name] for name in select_part(whole, part).names if name in index]
        for part in ('train', 'test')
    )
    divided = all(part_names(whole, part) for part in ('train', 'test'))
    return (train, test) if divided and train and test else None


if __name__ == '__main__':
    sys.exit(main())
