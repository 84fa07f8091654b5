"""Every error has its row: HTTP status, exit code, title."""

from __future__ import annotations

import pytest

from api.errors import message_of, outcome_of, outcomes
from orbits.errors import OrbitsError
from qkd.errors import QkdError
from scheduler.errors import InputError, SchedulerError, StaleElements, UnknownName


def _tree(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(_tree(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize("root", [SchedulerError, OrbitsError, QkdError])
def test_every_error_has_its_own_row(root: type[Exception]) -> None:
    # Classes of the project only: another test may have made one of its own.
    ours = {
        kind
        for kind in _tree(root)
        if kind.__module__.split(".")[0] == root.__module__.split(".")[0]
    }

    assert ours <= set(outcomes())


def test_bad_input_exits_with_2_and_is_the_callers_fault() -> None:
    for kind, outcome in outcomes().items():
        assert outcome.exit_code == (
            2 if issubclass(kind, ValueError | LookupError) else outcome.exit_code
        ), kind
        assert outcome.exit_code in {1, 2}
        assert 400 <= outcome.status < 600
        assert outcome.title


def test_an_error_made_later_takes_the_row_of_its_parent() -> None:
    class Later(UnknownName):
        pass

    assert outcome_of(Later("x")) == outcomes()[UnknownName]


def test_a_failing_file_is_exit_code_1() -> None:
    assert outcome_of(PermissionError(13, "Permission denied", "/nowhere")).exit_code == 1


MESSAGES = [
    (InputError("two\nlines\tand a tab"), "two lines and a tab"),
    (InputError("bell \x07 and escape \x1b[31m"), "bell \\x07 and escape \\x1b[31m"),
    (
        FileNotFoundError(2, "No such file or directory", "a.tle"),
        "a.tle: No such file or directory",
    ),
    (KeyError("quoted"), "quoted"),
    (StaleElements(), "StaleElements"),
]


@pytest.mark.parametrize(("error", "line"), MESSAGES)
def test_a_message_is_one_printable_line(error: Exception, line: str) -> None:
    assert message_of(error) == line
