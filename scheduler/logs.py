"""How a process that stays logs: lines for people or JSON, and what libraries log among them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from traceback import extract_tb
from typing import Literal

import structlog


def set_up_logs(form: Literal["lines", "json"]) -> None:
    """Log to stdout as lines for people, or as one JSON object each; ids go with every line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=form == "json"),
        _in_one_line,
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(sort_keys=True, default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    structlog.configure(processors=[*shared, last], cache_logger_on_first_use=False)
    for name in ("apscheduler", "procrastinate", "psycopg", "sqlalchemy", "uvicorn.error"):
        take_in(name)


def _in_one_line(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """No traceback: frames hold key, and a log is lines."""
    error = event.pop("exc_info", None)
    if isinstance(error, Exception):
        event.update(why=words_of(error), where=where_raised(error))
    return event


def words_of(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def where_raised(error: Exception) -> str:
    """Where it was raised: no frame is shown, for frames hold key."""
    frames = extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f"{Path(last.filename).name}:{last.lineno} in {last.name}"


class _ToStructlog(logging.Handler):
    """Lines of a library that logs by Python's own means, among ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record, and of its traceback the last line."""
        error = record.exc_info[1] if record.exc_info else None
        why = {"why": words_of(error)} if isinstance(error, Exception) else {}
        words = " ".join(record.getMessage().split())[:500]
        structlog.get_logger(record.name).log(record.levelno, words, **why)


def take_in(name: str) -> None:
    """Have what a library warns of among our own lines, and nowhere else."""
    logger = logging.getLogger(name)
    if not any(isinstance(handler, _ToStructlog) for handler in logger.handlers):
        logger.addHandler(_ToStructlog(logging.WARNING))
    logger.propagate = False


def quiet() -> None:
    """Log nothing but errors."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
