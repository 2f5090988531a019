"""
Makes the project's environment in .venv; `make` calls it when something that goes into it has
changed.

Where ROS 2 is sourced the environment builds on it; elsewhere ROS 2 comes from PyPI. Needs nothing
but the standard library, and says in one sentence what is missing.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
# What the environment was built on: 'wheels', or the sourced distribution and its Python.
ORIGIN = VENV / 'origin'

# What the node imports of ROS and a sourced installation may lack: module, and the package that
# has it.
ROS_MODULES = {
    'rclpy': 'rclpy',
    'tf2_ros': 'tf2_ros_py',
    'diagnostic_msgs': 'diagnostic_msgs',
    'geometry_msgs': 'geometry_msgs',
    'nav_msgs': 'nav_msgs',
    'sensor_msgs': 'sensor_msgs',
    'std_srvs': 'std_srvs',
}
LAST_WHEEL_PYTHON = (3, 13)


def main():
    distribution = sourced_distribution()
    check_python()
    if distribution:
        check_sourced(distribution)
    else:
        check_wheels()

    python = f'Python {sys.version_info[0]}.{sys.version_info[1]}'
    origin = f'{distribution or "wheels"} on {python}'
    if not ORIGIN.exists() or ORIGIN.read_text() != origin:
        print(f'Making .venv with {python}; the first time takes some minutes.', flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        options = ['--system-site-packages'] if distribution else []
        run('Python could not make .venv', sys.executable, '-m', 'venv', *options, VENV)
        ORIGIN.write_text(origin)

    install_requirements(distribution)
    if not distribution:
        run(
            'tf2, which is not on PyPI, could not be built (test/ros_support/install.py)',
            *(ROOT / 'tools/with_ros', 'python', ROOT / 'test/ros_support/install.py'),
        )
    install_package()


def install_requirements(distribution):
    names = ['build', 'runtime', 'no_rosdep', 'training', 'test']
    if distribution:
        print(f'Using ROS 2 {distribution}, which is sourced.', flush=True)
    else:
        print('No ROS 2 is sourced, so ROS 2 Jazzy comes from PyPI.', flush=True)
        names.append('ros')
    requirements = ROOT / 'requirements'
    files = [part for name in names for part in ('-r', requirements / f'{name}.txt')]
    # Large downloads show their progress to a person, but not to a log file.
    quiet = [] if sys.stdout.isatty() else ['-q']
    run(
        'pip could not install what requirements/ pins (its own words are above): see that the '
        'package index can be reached and that the disk has room, then run the same command again',
        *(PYTHON, '-m', 'pip', 'install', *quiet, *files, '-c', requirements / 'constraints.txt'),
    )


def install_package():
    """
    The package itself, by links into the checkout: what is edited there takes effect at once.
    """
    run(
        'pip could not install posemap_ros itself into .venv (its own words are above)',
        *(PYTHON, '-m', 'pip', 'install', '-q', '--no-deps', '--no-build-isolation', '-e', ROOT),
    )
    # What pip leaves out, so that ros2 run, ros2 launch and the ament index find the package in
    # .venv.
    index = VENV / 'share/ament_index/resource_index/packages'
    link(index / 'posemap_ros', ROOT / 'resource/posemap_ros')
    share = VENV / 'share/posemap_ros'
    for name in ('package.xml', 'config', 'demo'):
        link(share / name, ROOT / name)
    for name in ('launch', 'examples'):
        link_files(share / name, ROOT / name)
    list_names = (
        'from importlib.metadata import distribution\n'
        "print(*(entry.name for entry in distribution('posemap_ros').entry_points))"
    )
    for name in subprocess.check_output([str(PYTHON), '-c', list_names]).decode().split():
        link(VENV / 'lib/posemap_ros' / name, VENV / 'bin' / name)


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.exists():
        path.unlink()
    path.symlink_to(target)


def link_files(folder, target):
    """
    Each file by itself, in a folder of its own: `ros2 launch` follows no link to a folder.
    """
    if folder.is_symlink():
        folder.unlink()
    for path in target.glob('*.*'):
        link(folder / path.name, path)


def sourced_distribution():
    """Name of the ROS 2 distribution that is sourced; None without one."""
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    if all(Path(prefix) == VENV for prefix in prefixes if prefix):
        return None
    return os.environ.get('ROS_DISTRO', 'unknown')


def check_python():
    if sys.version_info < (3, 10):  # noqa: UP036
        stop(
            f'Python {sys.version_info[0]}.{sys.version_info[1]} is too old: posemap_ros needs '
            '3.10 or newer; name one with, for example, `make setup PYTHON=python3.12`.'
        )
    if not (importable('venv') and importable('ensurepip')):
        stop(
            "Python's venv module is missing: install it first (on Debian and Ubuntu: "
            'sudo apt install python3-venv).'
        )


def check_sourced(distribution):
    missing = [name for name in ROS_MODULES if not importable(name)]
    if 'rclpy' in missing:
        stop(
            f'ROS 2 {distribution} is sourced, but {sys.executable} cannot import its rclpy: name '
            'the Python that it was built for (make setup PYTHON=/usr/bin/python3), or use a '
            'shell where no ROS 2 is sourced.'
        )
    if missing:
        packages = ' '.join(
            f'ros-{distribution}-{ROS_MODULES[name]}'.replace('_', '-') for name in missing
        )
        stop(f'ROS 2 {distribution} lacks {", ".join(missing)}: sudo apt install {packages}')


def check_wheels():
    version = sys.version_info[:2]
    if version > LAST_WHEEL_PYTHON:
        stop(
            f'No ROS 2 is sourced, and its PyPI wheels end at Python {LAST_WHEEL_PYTHON[0]}.'
            f'{LAST_WHEEL_PYTHON[1]}, but this is {version[0]}.{version[1]}: name an older one '
            'with, for example, `make setup PYTHON=python3.12`, or source a ROS 2 installation.'
        )
    machine = f'{platform.system()} on {platform.machine()}'
    if machine != 'Linux on x86_64':
        stop(
            'No ROS 2 is sourced, and its PyPI wheels are for Linux on x86_64 only, but this is '
            f'{machine}: source a ROS 2 installation first.'
        )
    if not (compiler('CC', 'cc') and compiler('CXX', 'c++')):
        stop(
            'A C++ compiler is missing, with which a ROS message is built: install one first (on '
            'Debian and Ubuntu: sudo apt install g++), or source a ROS 2 installation.'
        )
    if not Path(sysconfig.get_path('include'), 'Python.h').exists():
        stop(
            "Python's headers are missing, with which a ROS message is built: install them first "
            f'(on Debian and Ubuntu: sudo apt install python{version[0]}.{version[1]}-dev), or '
            'source a ROS 2 installation.'
        )


def importable(name):
    command = [sys.executable, '-c', f'import {name}']
    quiet = subprocess.DEVNULL
    return subprocess.call(command, stdout=quiet, stderr=quiet) == 0


def compiler(variable, default):
    return shutil.which(shlex.split(os.environ.get(variable) or default)[0])


def run(failure, *command):
    if subprocess.call([str(part) for part in command], cwd=ROOT) != 0:
        stop(f'{failure}.')


def stop(sentence):
    sys.exit(f'setup: {sentence}')


if __name__ == '__main__':
    main()
