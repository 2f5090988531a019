"""Can the data work? Asked before an hour of training is lost."""

from posemap_ros.check.check import Checked, check_dataset
from posemap_ros.check.findings import Finding, is_content

__all__ = ['Checked', 'Finding', 'check_dataset', 'is_content']
