"""The report folder of a replay: report.md, summary.json and pictures."""

from api.report.folder import write_report

__all__ = ["write_report"]
