"""What an ablation compares: the errors of many runs, and the tables that sum them up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from posemap_ros.evaluation.errors import summarize, summarize_verified
from posemap_ros.experiments.outliers import farthest
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
# And where poses were verified.
VERIFIED_COLUMNS = (
    ('verified %', 'verified_share', 100.0, '.0f'),
    ('verified: median m', 'verified_median_translation_m', 1.0, '.3f'),
    ('median deg', 'verified_median_rotation_deg', 1.0, '.2f'),
    ('5 cm 5 deg %', 'verified_recall_5cm_5deg', 100.0, '.0f'),
    ('wrong', 'verified_wrong', 1.0, '.1f'),
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
        verified_translation_m, verified_rotation_deg: errors [N] of verified poses, None where a
            frame was not verified; empty where verification was not tried.
    """

    row: str
    fraction: float
    seed: int
    digest: str
    frames: list[str]
    translation_m: list[float]
    rotation_deg: list[float]
    figures: dict[str, float] = field(default_factory=dict)
    verified_translation_m: list[float | None] = field(default_factory=list)
    verified_rotation_deg: list[float | None] = field(default_factory=list)

    @property
    def tried_verification(self) -> bool:
        """Are the figures of verified poses known?"""
        return bool(self.verified_translation_m)

    def summary(self, chosen: np.ndarray | None = None) -> dict[str, float]:
        """Of the frames with these indices, or all: `summarize`, and `summarize_verified` where
        that is known, its names beginning with 'verified_'.
        """
        chosen = np.arange(len(self.frames)) if chosen is None else chosen
        errors = (np.array(e)[chosen] for e in (self.translation_m, self.rotation_deg))
        summary = summarize(*errors)
        if self.tried_verification:
            metres, degrees = (
                np.array(e, np.float64)[chosen]  # None becomes NaN
                for e in (self.verified_translation_m, self.verified_rotation_deg)
            )
            found = ~np.isnan(metres)
            verified = summarize_verified(metres[found], degrees[found], len(chosen))
            summary |= {f'verified_{name}': value for name, value in verified.items()}
        return summary

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
    return _table(whole, lambda r: r.row, Result.summary)


def outlier_table(
    results: Sequence[Result], training: np.ndarray, test: dict[str, np.ndarray]
) -> str:
    """The paper's Table 4: the same for the 30 test frames farthest from the training clusters.

    Args:
        training: positions [N, 3] of the training cameras.
        test: positions [3] of the test cameras, by the frames' names.
    """

    def summary(result: Result) -> dict[str, float]:
        return result.summary(farthest(training, np.stack([test[name] for name in result.frames])))

    return _table([r for r in results if r.fraction == 1.0], lambda r: r.row, summary)


def fraction_table(results: Sequence[Result]) -> str:
    """The paper's Figure 6 as a table: variants by the share of the training frames."""
    return _table(
        sorted(results, key=lambda r: -r.fraction),
        lambda r: f'{r.row}, {100 * r.fraction:g} % of the frames',
        Result.summary,
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
    columns = COLUMNS
    if any(result.tried_verification for result in results):
        columns += VERIFIED_COLUMNS
    lines = [
        '| | seeds | ' + ' | '.join(heading for heading, *_ in columns) + ' |',
        '|---|---|' + '---|' * len(columns),
    ]
    for row, summaries in rows.items():
        cells = [row, str(len(summaries))]
        for _, key, factor, form in columns:
            values = factor * np.array([s[key] for s in summaries if key in s])
            if not len(values):
                cells.append('-')
                continue
            cell = format(values.mean(), form)
            if len(values) > 1:
                cell += f' ± {format(values.std(ddof=1), form)}'
            cells.append(cell)
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)
