"""What would go wrong with data, before anything is imported or trained: every problem, with what would help."""

from data_pipelines.importing.check.check import check_data
from data_pipelines.importing.check.report import CheckReport, TaskReport

__all__ = ["CheckReport", "TaskReport", "check_data"]
