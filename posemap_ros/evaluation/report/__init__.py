"""What `evaluate --report` writes."""

from posemap_ros.evaluation.report.report import write_report

__all__ = ['write_report']
