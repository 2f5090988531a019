"""What an ablation compares: the errors of many runs, and the tables that sum them up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from posemap_ros.evaluation.errors import summarize
from posemap_ros.evaluation.outliers import farthest
from posemap_ros.support.files import atomic_write
from posemap_ros.support.untrusted import read_json

# Columns of the tables: heading, key of `summarize`, factor, format.
COLUMNS = (
    ('median m', 'median_translation_m', 1.0, '.3f'),
    ('median deg', 'median_rotation_deg', 1.0, '.2f'),
    ('p90 m', 'p90_translation_m', 1.0, '.3f'),
    ('p90 deg', 'p90_rotation_deg', 1.0, '.2f'),
    ('5 cm 5 deg %', 'recall_5cm_5deg', 100.0, '.0f'),
    ('10 cm 5 deg %', 'recall_10cm_5deg', 100.0, '.0f'),
    ('25 cm 10 deg %', 'recall_25cm_10deg', 100.0, '.0f'),
)

_LARGEST_RESULT = 64 << 20  # bytes


class InvalidResult(ValueError):
    """A file of results that cannot be read."""


@dataclass(frozen=True)
class Result:
    """Errors of one run on the test frames.

    Attributes:
        row: what the tables call it.
        fraction: of the training frames that were used.
        seed: of the run.
        digest: names everything that decides the run, so that a changed recipe is seen.
        frames: names of N test frames.
        translation_m, rotation_deg: errors [N].
        figures: what else was measured.
    """

    row: str
    fraction: float
    seed: int
    digest: str
    frames: list[str]
    translation_m: list[float]
    rotation_deg: list[float]
    figures: dict[str, float] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read what `save` wrote.

        Raises:
            InvalidResult: the file is damaged.
        """
        try:
            return cls(**read_json(path, _LARGEST_RESULT))
        except (ValueError, TypeError) as error:
            raise InvalidResult(
                f'{path} is damaged ({error}): remove it, and the run is evaluated again'
            ) from error


def main_table(results: Sequence[Result]) -> str:
    """The paper's Table 5 with what its medians hide: a row for each variant, mean and spread over
    the seeds of the runs on all training frames.
    """
    whole = [r for r in results if r.fraction == 1.0]
    return _table(whole, lambda r: r.row, lambda r: summarize(r.translation_m, r.rotation_deg))


def outlier_table(
    results: Sequence[Result], training: np.ndarray, test: dict[str, np.ndarray]
) -> str:
    """The paper's Table 4: the same for the 30 test frames farthest from the training clusters.

    Args:
        training: positions [N, 3] of the training cameras.
        test: positions [3] of the test cameras, by the frames' names.
    """

    def summary(result: Result) -> dict[str, float]:
        chosen = farthest(training, np.stack([test[name] for name in result.frames]))
        return summarize(
            np.array(result.translation_m)[chosen], np.array(result.rotation_deg)[chosen]
        )

    return _table([r for r in results if r.fraction == 1.0], lambda r: r.row, summary)


def fraction_table(results: Sequence[Result]) -> str:
    """The paper's Figure 6 as a table: variants by the share of the training frames."""
    return _table(
        sorted(results, key=lambda r: -r.fraction),
        lambda r: f'{r.row}, {100 * r.fraction:g} % of the frames',
        lambda r: summarize(r.translation_m, r.rotation_deg),
    )


def _table(
    results: Sequence[Result],
    name: Callable[[Result], str],
    summary: Callable[[Result], dict[str, float]],
) -> str:
    """Markdown: a row for each name, with mean and standard deviation over its results."""
    rows: dict[str, list[dict[str, float]]] = {}
    for result in results:
        rows.setdefault(name(result), []).append(summary(result))
    lines = [
        '| | seeds | ' + ' | '.join(heading for heading, *_ in COLUMNS) + ' |',
        '|---|---|' + '---|' * len(COLUMNS),
    ]
    for row, summaries in rows.items():
        cells = [row, str(len(summaries))]
        for _, key, factor, form in COLUMNS:
            values = factor * np.array([s[key] for s in summaries])
            cell = format(values.mean(), form)
            if len(values) > 1:
                cell += f' ± {format(values.std(ddof=1), form)}'
            cells.append(cell)
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)
