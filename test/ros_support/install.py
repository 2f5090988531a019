"""
Puts tf2 into the environment that this runs in, where it is missing: PyPI has ROS 2 wheels, but
none of tf2.

tf2_ros is a small stand-in, linked from src/. tf2_msgs is built from its definition, in about
fifteen seconds.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy

SOURCES = Path(__file__).resolve().parent / 'src'
PREFIX = Path(sys.prefix)
SITE_PACKAGES = Path(sysconfig.get_path('purelib'))


def main() -> None:
    if importlib.util.find_spec('tf2_ros') is None:
        (SITE_PACKAGES / 'tf2_ros').symlink_to(SOURCES / 'tf2_ros')
    if importlib.util.find_spec('tf2_msgs') is None:
        print('Building tf2_msgs.', flush=True)
        localize_cmake_files()
        build_tf2_msgs()


def localize_cmake_files() -> None:
    """
    The wheels' CMake files name the folders of the machine that built them; point them at this
    one's.
    """
    for path in (PREFIX / 'share').rglob('*.cmake'):
        text = path.read_text()
        local = re.sub(r'/opt/python/[^;"\s>]*/numpy/_core/include', numpy.get_include(), text)
        local = re.sub(
            r'/opt/python/[^;"\s>]*/include/python3\.\d+', sysconfig.get_path('include'), local
        )
        if local != text:
            path.write_text(local)


def build_tf2_msgs() -> None:
    cmake = shutil.which('cmake', path=PREFIX / 'bin')
    with tempfile.TemporaryDirectory() as build:
        commands = (
            [
                cmake, '-S', SOURCES / 'tf2_msgs', '-B', build, '-G', 'Ninja',
                f'-DCMAKE_MAKE_PROGRAM={PREFIX / "bin" / "ninja"}',
                f'-DCMAKE_INSTALL_PREFIX={PREFIX}',
                f'-DCMAKE_PREFIX_PATH={PREFIX}',
                f'-DPython3_EXECUTABLE={sys.executable}',
                '-DPython3_FIND_VIRTUALENV=ONLY',
                '-DCMAKE_BUILD_TYPE=Release',
                '-DBUILD_TESTING=OFF',
            ],
            [cmake, '--build', build],
            [cmake, '--install', build],
        )  # fmt: skip
        for command in commands:
            result = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if result.returncode != 0:
                sys.exit(result.stdout)


if __name__ == '__main__':
    main()
