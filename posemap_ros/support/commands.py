"""Commands that messages give to copy: in the form that works where this program was started."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

WITH_ROS = 'POSEMAP_WITH_ROS'  # tools/with_ros says here where it is
_PACKAGE = 'posemap_ros'


def stage(name: str, *arguments: object) -> str:
    """The command line that runs a stage: `tools/with_ros NAME ...` in the checkout, `ros2 run
    posemap_ros NAME ...` where ROS started this program, quoted for a shell.

    What is not known stands for itself in capitals, as in a usage line: 'DIR'.
    """
    return shlex.join([*_runner(name), *map(str, arguments)])


def pip_install(package: str) -> str:
    """The command line that installs a package where this program looks for it."""
    if wrapper := _with_ros():
        return shlex.join([wrapper, 'pip', 'install', package])
    return shlex.join([sys.executable, '-m', 'pip', 'install', package])


def _runner(name: str) -> list[str]:
    if wrapper := _with_ros():
        return [wrapper, name]
    program = Path(sys.argv[0])
    # ros2 run and ros2 launch start what lies in PREFIX/lib/PACKAGE.
    if program.parent.parts[-2:] == ('lib', _PACKAGE):
        return ['ros2', 'run', _PACKAGE, name]
    beside = program.with_name(name)
    if beside.is_file():
        found = shutil.which(name)
        return [name if found and Path(found).samefile(beside) else str(beside)]
    return [sys.executable, '-m', f'{_PACKAGE}.training.{name}']


def _with_ros() -> str | None:
    """The path of tools/with_ros, if this program was started by it; short inside the checkout."""
    wrapper = os.environ.get(WITH_ROS)
    if not wrapper:
        return None
    path = Path(wrapper).resolve()
    near = os.path.relpath(path)
    inside = Path.cwd().is_relative_to(path.parents[1])
    return near if inside else str(path)
