"""What is installed is all there is."""

from pathlib import Path

from setuptools import find_packages

ROOT = Path(__file__).resolve().parents[1]


def test_every_folder_of_the_package_is_installed() -> None:
    """A folder without __init__.py works in a checkout, and is missing on the robot."""
    found = set(find_packages(str(ROOT), include=['posemap_ros', 'posemap_ros.*']))
    folders = {path.parent for path in (ROOT / 'posemap_ros').rglob('*.py')}
    folders |= {ROOT / 'posemap_ros' / 'training'}  # a link
    assert found == {'.'.join(folder.relative_to(ROOT).parts) for folder in folders}
