"""The paper's figures beside ours: copied without a slip, and compared like with like."""

from dataclasses import replace

import numpy as np
import pytest

from posemap_ros.experiments.published import (
    comparison_table,
    is_outdoors,
    known_scene,
    published,
)
from posemap_ros.experiments.results import Result

INDOORS = ('chess', 'fire', 'heads', 'office', 'pumpkin', 'redkitchen', 'stairs')
OUTDOORS = ('KingsCollege', 'OldHospital', 'ShopFacade', 'StMarysChurch')


def numbers(figure: str) -> list[float]:
    return [float(part.split()[0]) for part in figure.split(',')]


@pytest.mark.parametrize(('scenes', 'outdoors'), [(INDOORS, False), (OUTDOORS, True)])
def test_the_scenes_have_the_averages_that_the_paper_gives(
    scenes: tuple[str, ...], outdoors: bool
) -> None:
    place, averages = published(None, outdoors=outdoors)
    assert place.startswith('the average of') and len(averages) == 5
    for method, average in averages.items():
        of_scenes = [numbers(published(s, outdoors=outdoors)[1][method]) for s in scenes]
        # Both are rounded, degrees to three digits.
        assert np.mean(of_scenes, axis=0) == pytest.approx(numbers(average), rel=0.004, abs=0.006)


def test_scenes_are_known_however_they_are_spelt() -> None:
    for name in ('redkitchen', 'RedKitchen', '7scenes_redkitchen'[8:], 'kitchen'):
        assert known_scene(name) == 'redkitchen'
    assert known_scene('Kings_College') == known_scene('kings') == 'KingsCollege'
    assert known_scene('my office 2') is None is known_scene('the average of 7-Scenes')
    assert is_outdoors('ShopFacade') and not is_outdoors('chess') and not is_outdoors(None)


def result(row: str, seed: int, metres: list[float], degrees: float = 2.0) -> Result:
    frames = [f'{row}{i}' for i in range(len(metres))]
    return Result(row, 1.0, seed, '', frames, metres, [degrees] * len(metres))


RESULTS = [
    result('pmnet', 0, [0.1, 0.2, 0.3]),
    result('pmnet', 1, [0.2, 0.4, 0.6], 4.0),
    result('pmnet, aligned on these', 0, [0.01]),
    result('pmnet, aligned on others', 0, [0.05, 0.07]),
    result('something else', 0, [0.5]),
]


def test_medians_and_their_spread_beside_the_papers() -> None:
    lines = comparison_table(RESULTS, 'redkitchen').splitlines()
    assert lines[0] == '| | seeds | here | the paper, redkitchen |'
    # Medians 0.2 and 0.4, 2 and 4: mean 0.3 and 3, spread 0.2 / sqrt 2 and sqrt 2.
    assert lines[2] == '| PMNet | 2 | 0.300 ± 0.141 m, 3.00 ± 1.41 deg | 0.14 m, 3.36 deg |'
    # Of 0.01, 0.05 and 0.07 together, as in the paper; then of the last two.
    assert lines[3] == '| PMNet_ud | 1 | 0.050 m, 2.00 deg | 0.08 m, 2.23 deg |'
    assert lines[4].startswith('| PMNet_ud, on frames not aligned on | 1 | 0.060 m,')
    assert len(lines) == 5


def test_an_alignment_that_was_rolled_back_is_called_so() -> None:
    rows = ('dfnet, aligned on these', 'dfnet, aligned on others')
    results = [
        replace(result(row, seed, [0.1]), figures={'alignment_kept': float(seed > 0)})
        for seed in range(3)
        for row in rows
    ]
    assert '| DFNet_dm (1 of 3 rolled back) | 3 |' in comparison_table(results)


def test_kings_college_has_what_table_5_adds() -> None:
    table = comparison_table([result('nerfmap', 0, [1.0])], 'KingsCollege', outdoors=True)
    assert table.splitlines()[-1].endswith('| 0.95 m, 5.76 deg |')
    table = comparison_table([result('nerfmap', 0, [1.0])], None, outdoors=True)
    assert 'the average of Cambridge Landmarks' in table and table.endswith('| - |')
