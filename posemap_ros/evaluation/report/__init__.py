"""What `evaluate --report` writes."""

from posemap_ros.evaluation.report.report import Beside, write_report

__all__ = ['Beside', 'write_report']
