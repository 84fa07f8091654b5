"""What a terminal shows: tables of every width, in every encoding, words as they were typed."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli import run
from api.cli.table import lines_of, width_of, wrapped
from api.schemas.base import Column, Table
from api.text import printable
from tests.api.conftest import Command, Replayed

WIDTHS = (60, 80, 100, 120)
NIGHT = ("--from", "2016-12-19", "--to", "2016-12-20")
TABLES = [
    ("passes", "micius", *NIGHT),
    ("passes", "micius", "--station", "xinglong", *NIGHT, "--forecast"),
    ("passes", "micius", *NIGHT, "--tz", "Asia/Shanghai"),
    ("next", "micius", "--at", "2016-12-19"),
    (
        "track",
        "micius",
        "--from",
        "2016-12-19",
        "--to",
        "2016-12-19T00:05Z",
        "--station",
        "xinglong",
    ),
    ("satellites",),
    ("stations",),
    ("elements", "list", "--latest"),
    ("plan", "list"),
    ("plan", "show"),
    ("plan", "bookings"),
    ("outage", "list"),
    ("sae", "list"),
    ("keys", "uncertain"),
    ("ledger", "show"),
    ("ledger", "waiting"),
    ("merge", "history"),
    ("merge", "plan", "--at", "2016-12-21"),
    ("keys", "list", "--pair", "nanshan--shanghai"),
    ("validate",),
]
WORD_MAX = 24
"""Longer words (ids, paths) may be cut where a line has no room for them."""


class Terminal(io.TextIOWrapper):
    """A stdout that says it is a terminal."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        self.flush()
        data = self.buffer
        assert isinstance(data, io.BytesIO)
        return data.getvalue().decode(self.encoding)


Shown = Callable[..., str]


@pytest.fixture
def shown(replayed: Replayed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shown:
    """What a command prints on a terminal of that width and encoding, on the replayed ledger."""
    monkeypatch.chdir(tmp_path)
    replayed.copy_to(tmp_path / "copy.db")
    monkeypatch.setenv("SKYTRUNK_DATABASE_URL", "sqlite:///copy.db")
    monkeypatch.setenv("NO_COLOR", "1")

    def show(*arguments: str, width: int = 80, encoding: str = "utf-8") -> str:
        terminal = Terminal(encoding)
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            patch.setattr(sys, "stdout", terminal)
            assert run(arguments) == 0, arguments
        return terminal.text()

    return show


@pytest.mark.parametrize("arguments", TABLES, ids=" ".join)
def test_a_table_fits_the_terminal_and_breaks_no_word(
    shown: Shown, arguments: tuple[str, ...]
) -> None:
    if arguments[0] == "outage":
        shown("outage", "add", "--station", "nanshan", *NIGHT, "--reason", "mirror " * 20)
    words = set(shown(*arguments, width=400).split())

    for width in WIDTHS:
        text = shown(*arguments, width=width)
        assert max(map(width_of, text.splitlines())) <= width
        strange = [
            word for word in text.partition("no room in")[0].split()
            if len(word) <= WORD_MAX and word not in words and "──" not in word
            and not any(len(whole) > WORD_MAX and word in whole for whole in words)
        ]  # fmt: skip
        assert strange == []


def test_eighty_columns_keep_what_matters_and_name_what_went(shown: Shown) -> None:
    question = ("passes", "micius", "--station", "xinglong", *NIGHT, "--forecast")
    text = shown(*question)

    (dark,) = [row for row in json.loads(shown(*question, "--json"))["passes"] if row["dark"]]
    assert dark["rises_at"][11:23] in text
    assert f"{dark['secret_bits']:,}" in text
    assert "no room in 80 columns for: culminates" in text


def test_a_shortened_id_is_enough_for_the_command(shown: Shown) -> None:
    shown("plan", "make", "--from", "2016-12-21", "--to", "2016-12-22", "--at", "2016-12-21")
    listed = shown("plan", "bookings")
    (line, *_) = [line for line in listed.splitlines() if " booked " in line]
    short = line.split()[0]
    assert len(short) == 8

    locked = json.loads(shown("plan", "lock", short, "--json"))["bookings"]

    assert [row["locked"] for row in locked] == [True]
    assert locked[0]["booking"].startswith(short)


@pytest.mark.parametrize(
    ("text", "words"),
    [("dead", "begins 0 ids"), ("xyz", "'xyz' is no id"), ("../etc", "allowed: a UUID")],
)
def test_an_id_that_is_none_is_refused(
    skytrunk: Command, replayed: Replayed, text: str, words: str
) -> None:
    done = skytrunk("--database", replayed.database, "plan", "lock", text)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize("arguments", TABLES, ids=" ".join)
def test_an_ascii_terminal_gets_every_table(shown: Shown, arguments: tuple[str, ...]) -> None:
    text = shown(*arguments, encoding="ascii")

    assert text.isascii()
    assert "\\x" not in text  # our own signs have a spelling, they are not escaped
    assert "\\u" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_json_on_an_ascii_terminal_is_the_same_document(shown: Shown) -> None:
    text = shown("stations", "--json", encoding="ascii")
    assert json.loads(text) == json.loads(shown("stations", "--json"))


@given(
    cells=st.lists(st.lists(st.text(max_size=40), min_size=3, max_size=3), max_size=5),
    width=st.integers(min_value=20, max_value=120),
)
def test_any_words_fit_any_width(cells: list[list[str]], width: int) -> None:
    columns = [
        Column("id", lambda row: row[0], short=True),
        Column("n", lambda row: row[1], rank=1),
        Column("why", lambda row: row[2], text=True),
    ]
    lines = list(lines_of(Table("t", columns, cells, "c"), width, printable))
    assert all(width_of(line) <= width for line in lines)


@given(text=st.text(), width=st.integers(min_value=2, max_value=50))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrapped(printable(text), width)
    assert "".join(lines).replace(" ", "") == printable(text).replace(" ", "")


# -- text is text ------------------------------------------------------------------------------

WORDS = "dome stuck, log [/var/log/dome], ticket [#4711], :fire: $$ [red]x[/] 望远镜"


def test_words_with_signs_are_shown_as_they_were_typed(shown: Shown) -> None:
    shown("outage", "add", "--station", "nanshan", *NIGHT, "--reason", WORDS)
    assert WORDS in shown("outage", "list", width=300)
    shown("plan", "make", "--from", "2016-12-21", "--to", "2016-12-22", "--at", "2016-12-21")
    bookings = json.loads(shown("plan", "bookings", "--state", "booked", "--json"))["bookings"]

    cancelled = shown("plan", "cancel", bookings[0]["booking"], "--reason", WORDS, width=300)

    assert WORDS in cancelled
    assert WORDS in shown("plan", "bookings", width=300)


def test_signs_that_move_the_cursor_are_spelled_out() -> None:
    table = Table("\x1b[2J", [Column("name", lambda row: row)], ["b\u202ec\x07"])
    text = "\n".join(lines_of(table, 80, printable))
    assert "\\x1b[2J" in text
    assert "b\\u202ec\\x07" in text
    assert printable(text.replace("\n", "")) == text.replace("\n", "")


def test_the_environment_may_not_have_a_terminal(skytrunk: Command, replayed: Replayed) -> None:
    """A file or a pipe gets every column, whatever COLUMNS says."""
    assert "COLUMNS" not in os.environ or os.environ["COLUMNS"] != "40"
    done = skytrunk("--database", replayed.database, "plan", "bookings", COLUMNS="40")
    assert "expected bits" in done.stdout
    assert "no room" not in done.stdout
