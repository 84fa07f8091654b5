"""The report folder of a replay: report.md, summary.json and pictures."""

from api.report.folder import draw_validation, write_report

__all__ = ["draw_validation", "write_report"]
