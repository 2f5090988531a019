"""Tables of an ablation, against figures computed by hand."""

from pathlib import Path

import numpy as np
import pytest

from posemap_ros.evaluation.ablation import (
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
