"""What is there for large images: a profile that Fast DDS takes, and reliable subscriptions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from robot import wait_until

PROFILE = Path(__file__).parents[2] / 'config' / 'fastdds_large_images.xml'
START = 'import rclpy; rclpy.init(); rclpy.create_node("large_images"); rclpy.shutdown()'


def complaints_about(profile: Path) -> str:
    """What a node that is started with the profile writes about it: Fast DDS only mutters."""
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


@pytest.mark.parametrize('reliability', ['best_effort', 'reliable'])
def test_images_are_subscribed_to_as_the_parameter_says(start_node, robot, reliability):
    # By a name of its own: that of a node which has just been killed is still known.
    start_node(name=reliability, image_reliability=reliability)

    def subscribed() -> list[str]:
        return [
            endpoint.qos_profile.reliability.name.lower()
            for endpoint in robot.node.get_subscriptions_info_by_topic('/image')
            if endpoint.node_name == reliability
        ]

    assert wait_until(subscribed, 'the node') == [reliability]
