"""The Rerun SDK, where it is installed: only the live view needs it."""

from __future__ import annotations

# Later ones need a NumPy that ROS's own packages do not work with; earlier ones lack some of what
# is used.
_SERIES = '0.22.'


class RerunMissing(ImportError):
    """It is not there, or is another one than this code was written for."""


def _missing(why: object) -> RerunMissing:
    return RerunMissing(
        f'the Rerun SDK, which shows the view, is not there or does not fit ({why}): pip install '
        'rerun-sdk==0.22.1 pyarrow==25.0.1, in a checkout with .venv/bin/pip'
    )


try:
    import rerun as rr
    import rerun.blueprint as rrb
except ImportError as error:
    raise _missing(error) from None
if not rr.__version__.startswith(_SERIES):
    raise _missing(f'{rr.__version__} is installed')

__all__ = ['rr', 'rrb']
