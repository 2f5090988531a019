"""Tables of an ablation, against figures computed by hand."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from posemap_ros.experiments.outliers import farthest
from posemap_ros.experiments.results import (
    InvalidResult,
    Result,
    fraction_table,
    main_table,
    outlier_table,
)


def result(row: str, seed: int, metres: list[float], fraction: float = 1.0) -> Result:
    names = [f'frame-{i}' for i in range(len(metres))]
    return Result(row, fraction, seed, 'digest', names, metres, [1.0] * len(metres))


RESULTS = [
    result('pmnet', 0, [0.01, 0.04, 0.20]),
    result('pmnet', 1, [0.02, 0.06, 0.30]),
    result('dfnet', 0, [0.04, 0.10, 0.40]),
    result('pmnet', 0, [0.50, 0.50, 0.50], fraction=0.5),
]


def cells(table: str, row: str) -> list[str]:
    (line,) = (line for line in table.splitlines() if line.startswith(f'| {row} |'))
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_rows_are_means_and_spreads_over_the_seeds() -> None:
    pmnet = cells(main_table(RESULTS), 'pmnet')
    # Medians 0.04 and 0.06: mean 0.05, standard deviation 0.02 / sqrt(2). Of 3 frames, two and
    # one are within 5 cm: 66.7 and 33.3 %.
    assert pmnet[:4] == ['pmnet', '2', '0.050 ± 0.014', '1.00 ± 0.00']
    assert pmnet[6] == '50 ± 24'
    assert cells(main_table(RESULTS), 'dfnet')[1:3] == ['1', '0.100']


def test_less_data_is_a_row_of_its_own() -> None:
    table = fraction_table(RESULTS)
    assert cells(table, 'pmnet, 50 % of the frames')[2] == '0.500'
    assert cells(table, 'pmnet, 100 % of the frames')[1] == '2'


def test_outliers_are_measured_alone() -> None:
    training = np.zeros((5, 3))
    far = {f'frame-{i}': np.array([float(i), 0.0, 0.0]) for i in range(40)}
    errors = [0.01] * 10 + [1.0] * 30
    table = outlier_table([result('pmnet', 0, errors)], training, far)
    assert cells(table, 'pmnet')[2] == '1.000'


def test_verified_poses_have_columns_where_they_are_known() -> None:
    """Of four frames three are verified: one within 5 cm, one not, one off by more than 25 cm."""
    verified = replace(
        result('pmnet', 0, [0.1, 0.2, 0.3, 0.4]),
        verified_translation_m=[0.01, None, 0.06, 0.30],
        verified_rotation_deg=[0.1, None, 0.3, 0.2],
    )
    table = main_table([verified, result('dfnet', 0, [0.1] * 4)])
    assert cells(table, 'pmnet')[-5:] == ['75', '0.060', '0.20', '25', '1.0']
    assert cells(table, 'dfnet')[-5:] == ['-'] * 5
    assert table.splitlines()[0].endswith(
        '| verified % | verified: median m | median deg | 5 cm 5 deg % | wrong |'
    )
    assert 'verified' not in main_table(RESULTS)
    # Of the three farthest frames two are verified, and one of them is wrong.
    far = {f'frame-{i}': np.array([float(i), 0.0, 0.0]) for i in range(4)}
    summary = verified.summary(farthest(np.zeros((3, 3)), np.stack(list(far.values())), 3))
    assert summary['verified_share'] == pytest.approx(2 / 3) and summary['verified_wrong'] == 1


def test_nothing_verified_has_a_share_and_no_median() -> None:
    none = replace(
        result('pmnet', 0, [0.1, 0.2]),
        verified_translation_m=[None, None],
        verified_rotation_deg=[None, None],
    )
    assert cells(main_table([none]), 'pmnet')[-5:] == ['0', '-', '-', '-', '-']
    assert none.tried_verification and not RESULTS[0].tried_verification


def test_results_of_earlier_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / 'run.json'
    old = asdict(RESULTS[0])
    del old['verified_translation_m'], old['verified_rotation_deg']
    path.write_text(json.dumps(old))
    assert Result.load(path) == RESULTS[0]


def test_results_survive_the_disk_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'run.json'
    RESULTS[0].save(path)
    assert Result.load(path) == RESULTS[0]
    path.write_text(path.read_text()[:40])
    with pytest.raises(InvalidResult, match='run.json.*remove it'):
        Result.load(path)
    path.write_text('{"row": 1}')
    with pytest.raises(InvalidResult, match='run.json'):
        Result.load(path)
