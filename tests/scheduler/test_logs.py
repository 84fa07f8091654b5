"""Logs as JSON: one object a line, with ids, and never a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from scheduler.logs import set_up_logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_is_an_object_with_the_ids_of_what_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("json")
    with structlog.contextvars.bound_contextvars(job_id="merge@noon", session="s-1"):
        structlog.get_logger("skytrunk.jobs").info("merge", steps=2)
    logging.getLogger("apscheduler.executors").warning("late by %s", "9 s")
    one, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["event"], one["level"], one["steps"]) == ("merge", "info", 2)
    assert (one["job_id"], one["session"]) == ("merge@noon", "s-1")
    assert one["timestamp"].endswith("Z")
    assert other["event"] == "late by 9 s"
    assert "job_id" not in other


def test_an_exception_is_where_and_why_and_no_frame(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json")
    try:
        raise OSError("disk\nfull")
    except OSError as error:
        structlog.get_logger("skytrunk.jobs").error("job failed", exc_info=error)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert said["why"] == "OSError: disk full"
    assert "test_logs.py" in said["where"]
    assert "exc_info" not in said
