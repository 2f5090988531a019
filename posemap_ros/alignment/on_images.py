"""Aligning offline, where somebody watches."""

from __future__ import annotations

import sys
from pathlib import Path

from posemap_ros.alignment.align import AlignmentResult, align_environment
from posemap_ros.dataset import PosedImages
from posemap_ros.environment import MANIFEST, Environment
from posemap_ros.support.device import out_of_memory_means
from posemap_ros.support.files import check_writable
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch


@out_of_memory_means('lower alignment.view_height in the recipe, and build again')
def align_on_images(
    environment: Path,
    images: PosedImages,
    *,
    verify: bool = True,
    revision: int | None = None,
    seconds: float | None = None,
    steps: int | None = None,
    device: str = 'auto',
    seed: int = 0,
    watch: Stopwatch | None = None,
) -> AlignmentResult:
    """Align on all of the images, and show how far that is; see `align_environment`."""
    watch = watch or Stopwatch()
    loaded = Environment.load(environment, revision)
    if loaded.warning:
        print(loaded.warning, file=sys.stderr)
    check_writable(loaded.path / MANIFEST)
    with watch.section('aligning'), progress_bar(None, 'aligning', 100, '%') as bar:

        def progress(fraction: float, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(round(100 * fraction) - bar.n)

        return align_environment(
            environment,
            images,
            verify=verify,
            revision=loaded.revision,
            seconds=seconds,
            steps=steps,
            device=device,
            seed=seed,
            progress=progress,
        )
