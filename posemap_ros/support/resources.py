"""Where the files that ship with the package lie: recipes and the demo environment."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = 'posemap_ros'


def share_folder() -> Path:
    """The checkout, or where pip or colcon installed the package's share folder.

    Raises:
        FileNotFoundError: the package was copied without its data files.
    """
    here = Path(__file__).resolve()
    places = [here.parents[2]]
    # <prefix>/lib/pythonX.Y/site-packages/posemap_ros -> <prefix>/share/posemap_ros, under colcon
    # and pip alike
    places += [parent / 'share' / PACKAGE for parent in here.parents]
    places.append(Path(sys.prefix) / 'share' / PACKAGE)
    for place in places:
        if (place / 'config' / 'training').is_dir():
            return place
    raise FileNotFoundError(
        f'the data files of {PACKAGE} (config/training) are not installed beside {here.parent}; '
        'install the package again'
    )
