"""The paper's own figures, and ours beside them: its Table 5, for each scene that it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posemap_ros.evaluation.errors import summarize
from posemap_ros.experiments.results import Result

# Rows of the table: variant, whether it is aligned on unlabelled images, and its name.
ROWS = (
    ('posenet', False, 'PoseNet'),
    ('dfnet', False, 'DFNet: no PoseMap'),
    ('nerfmap', False, 'NeRFMap'),
    ('no_image', False, 'PMNet without L_image'),
    ('no_rvs', False, 'PMNet without L_rvs'),
    ('pmnet', False, 'PMNet'),
    ('dfnet', True, 'DFNet_dm'),
    ('pmnet', True, 'PMNet_ud'),
)

# Median errors in metres and degrees (Tables 2 and 3), in the order of:
_METHODS = (
    ('posenet', False),
    ('dfnet', False),
    ('pmnet', False),
    ('dfnet', True),
    ('pmnet', True),
)
_MEDIANS = {
    'chess': '0.32/8.12 0.05/1.88 0.04/1.70 0.04/1.48 0.03/1.26',
    'fire': '0.47/14.4 0.17/6.45 0.10/4.51 0.04/2.16 0.04/1.76',
    'heads': '0.29/12.0 0.06/3.63 0.07/4.23 0.03/1.82 0.02/1.68',
    'office': '0.48/7.68 0.08/2.48 0.07/1.96 0.07/2.01 0.06/1.69',
    'pumpkin': '0.47/8.42 0.10/2.78 0.14/3.33 0.09/2.26 0.07/1.96',
    'redkitchen': '0.59/8.64 0.22/5.45 0.14/3.36 0.09/2.42 0.08/2.23',
    'stairs': '0.47/13.8 0.16/3.29 0.16/3.62 0.14/3.31 0.11/2.97',
    'the average of 7-Scenes': '0.44/10.4 0.12/3.71 0.10/3.24 0.07/2.21 0.06/1.93',
    'KingsCollege': '1.66/4.86 0.73/2.37 0.68/1.97 0.43/0.87 0.31/0.55',
    'OldHospital': '2.62/4.90 2.00/2.98 1.03/1.31 0.46/0.87 0.44/0.79',
    'ShopFacade': '1.41/7.18 0.67/2.21 0.58/2.10 0.16/0.59 0.17/0.86',
    'StMarysChurch': '2.45/7.95 1.37/4.03 1.33/3.73 0.50/1.49 0.31/0.96',
    'the average of Cambridge Landmarks': '2.04/6.23 1.19/2.90 0.90/2.27 0.39/0.96 0.31/0.79',
}
# Table 5 is of this scene alone. It has 1.03/2.94 for its own run without the PoseMap, where Table
# 3 has DFNet's 0.73/2.37.
_TABLE_5 = {
    'KingsCollege': {
        ('nerfmap', False): '0.95/5.76',
        ('no_image', False): '0.75/3.04',
        ('no_rvs', False): '0.94/2.34',
    }
}
_OTHER_NAMES = {
    'kitchen': 'redkitchen',
    'kings': 'KingsCollege',
    'hospital': 'OldHospital',
    'shop': 'ShopFacade',
    'church': 'StMarysChurch',
}
_OUTDOORS = ('KingsCollege', 'OldHospital', 'ShopFacade', 'StMarysChurch')


def known_scene(folder: str) -> str | None:
    """The paper's scene that a folder is called after, however it is spelt."""
    plain = re.sub(r'[^a-z]', '', folder.lower())
    names = {name.lower(): name for name in _MEDIANS if ' ' not in name} | _OTHER_NAMES
    return names.get(plain)


def is_outdoors(scene: str | None) -> bool:
    """Whether a scene is one of Cambridge Landmarks."""
    return scene in _OUTDOORS


def published(scene: str | None, *, outdoors: bool) -> tuple[str, dict[tuple[str, bool], str]]:
    """Where the paper's figures are from, and the figures, as '0.14 m, 3.36 deg', by variant and
    whether it is aligned; averages where it does not know the scene.
    """
    average = 'Cambridge Landmarks' if outdoors else '7-Scenes'
    place = scene or f'the average of {average}'
    values = dict(zip(_METHODS, _MEDIANS[place].split())) | _TABLE_5.get(place, {})
    return place, {key: '{} m, {} deg'.format(*v.split('/')) for key, v in values.items()}


def comparison_table(
    results: Sequence[Result], scene: str | None = None, *, outdoors: bool = False
) -> str:
    """Markdown: median errors on all test frames beside the paper's, mean and spread over seeds.

    Frames that were aligned on count, too, as they do in the paper; a row more has the others. An
    alignment that does not help is rolled back here, and a row says of how many that is true.
    """
    place, theirs = published(scene, outdoors=outdoors)
    lines = [f'| | seeds | here | the paper, {place} |', '|---|---|---|---|']
    whole = [result for result in results if result.fraction == 1.0]
    for variant, aligned, name in ROWS:
        parts = [f'{variant}, aligned on these', f'{variant}, aligned on others']
        ours = [r for r in whole if r.row in (parts if aligned else [variant])]
        if not ours:
            continue
        figure = theirs.get((variant, aligned), '-')
        kept = [r.figures.get('alignment_kept', 1.0) for r in _by_seed(ours)]
        if not all(kept):
            name += f' ({len(kept) - sum(map(bool, kept))} of {len(kept)} rolled back)'
        lines.append(f'| {name} | {_medians(_by_seed(ours))} | {figure} |')
        others = [r for r in ours if r.row == parts[1]]
        if others:
            lines.append(f'| {name}, on frames not aligned on | {_medians(others)} | - |')
    return '\n'.join(lines)


def _by_seed(results: Sequence[Result]) -> list[Result]:
    """The parts of each seed's test frames put together."""
    whole: dict[int, Result] = {}
    for part in results:
        if (other := whole.get(part.seed)) is not None:
            part = replace(
                part,
                frames=other.frames + part.frames,
                translation_m=other.translation_m + part.translation_m,
                rotation_deg=other.rotation_deg + part.rotation_deg,
            )
        whole[part.seed] = part
    return list(whole.values())


def _medians(results: Sequence[Result]) -> str:
    """'3 | 0.141 ± 0.004 m, 3.36 ± 0.10 deg' for the results of three seeds."""
    summaries = [summarize(r.translation_m, r.rotation_deg) for r in results]
    cells = []
    for key, unit, form in (
        ('median_translation_m', 'm', '.3f'),
        ('median_rotation_deg', 'deg', '.2f'),
    ):
        values = np.array([summary[key] for summary in summaries])
        spread = f' ± {values.std(ddof=1):{form}}' if len(values) > 1 else ''
        cells.append(f'{values.mean():{form}}{spread} {unit}')
    return f'{len(summaries)} | {", ".join(cells)}'
