"""
The offline stages, from a bag to a trained environment: each a thin command line over posemap_ros.

Ctrl-C while a stage imports, which takes seconds, gives one sentence, too; later `run_stage` does.
"""

import sys
from pathlib import Path
from types import TracebackType


def _tell(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    stage = Path(sys.argv[0]).stem
    if kind is KeyboardInterrupt and Path(__file__).with_name(f'{stage}.py').is_file():
        print(f'{stage}: stopped before it began', file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _tell
