"""The profile for large images is one that Fast DDS takes; about others it only mutters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROFILE = Path(__file__).parents[2] / 'config' / 'fastdds_large_images.xml'
START = 'import rclpy; rclpy.init(); rclpy.create_node("large_images"); rclpy.shutdown()'


def complaints_about(profile: Path) -> str:
    """What a node that is started with the profile writes about it."""
    done = subprocess.run(
        [sys.executable, '-c', START],
        env=os.environ | {'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return ''.join(line for line in done.stdout.splitlines(True) if 'XMLPARSER' in line)


@pytest.mark.skipif(
    'fastrtps' not in os.environ.get('RMW_IMPLEMENTATION', 'fastrtps'),
    reason='ROS runs on another middleware here',
)
def test_fast_dds_takes_the_profile(tmp_path: Path) -> None:
    broken = tmp_path / 'broken.xml'
    broken.write_text(PROFILE.read_text().replace('<segment_size>', '<segment_sice>'))
    assert complaints_about(broken), 'a profile that is wrong is complained about'
    assert complaints_about(PROFILE) == ''
