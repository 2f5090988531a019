"""config/localize.rviz shows what the node says, and the launch file finds what it replaces."""

from pathlib import Path

import yaml

CONFIG = Path(__file__).resolve().parents[1] / 'config' / 'localize.rviz'


def displays() -> dict[str, dict]:
    """By their names."""
    manager = yaml.safe_load(CONFIG.read_text())['Visualization Manager']
    return {display['Name']: display for display in manager['Displays']}


def test_the_map_is_heard_by_who_comes_late() -> None:
    for name, topic in (('Map points', 'map_points'), ('Mapped path', 'mapped_path')):
        heard = displays()[name]['Topic']
        assert heard['Value'] == f'posemap/{topic}'
        assert heard['Durability Policy'] == 'Transient Local'


def test_there_is_one_camera_topic_to_make_compressed() -> None:
    """RViz subscribes with the transport that the end of the topic's name says."""
    assert CONFIG.read_text().count('Value: image\n') == 1
    assert displays()['Camera']['Topic']['Value'] == 'image'
