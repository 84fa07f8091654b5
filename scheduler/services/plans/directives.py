"""Pins, vetoes and locks: what people decide about passes and bookings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.domain import (
    Booking,
    Candidate,
    instant_key,
)
from scheduler.errors import InputError

if TYPE_CHECKING:
    from scheduler.ledger import Reader, Transaction
    from scheduler.services.context import Context


TEXT_MAX = 200
"""Characters of a reason that a person gives."""


SLACK = timedelta(seconds=60)
"""New elements shift a pass by moments; a name still means it within this."""


DIRECTIVES = ("pin", "veto", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """What somebody wants of a pass: pinned or vetoed; "none" takes an earlier directive back."""

    satellite: str
    station: str
    at: datetime  #: an instant inside the pass
    directive: str

    def means(self, candidate: Candidate) -> bool:
        """Whether a candidate is (part of) that pass."""
        return (
            (candidate.satellite_id, candidate.station_id) == (self.satellite, self.station)
            and candidate.acquires_at - SLACK <= self.at
            and self.at <= candidate.loses_at + SLACK
        )


def answers_of(reader: Reader, *kinds: str) -> list[dict[str, Any]]:
    """The answers to every command of some kinds, in the order they were given."""
    found: list[tuple[int, dict[str, Any]]] = []
    for kind in kinds:
        after = 0
        while page := reader.commands(kind=kind, after=after):
            found += [(command.command_id, command.answer) for command in page]
            after = page[-1].command_id
    return [answer for _, answer in sorted(found, key=lambda item: item[0])]


def check_reason(reason: str) -> None:
    """Raise InputError for a reason that is too long or not printable."""
    if len(reason) > TEXT_MAX or not reason.isprintable():
        raise InputError(
            f"reason {reason[:40]!r} has {len(reason)} characters; allowed: up to {TEXT_MAX},"
            " all printable"
        )


def with_locks(reader: Reader, bookings: Iterable[Booking]) -> list[Booking]:
    """The bookings, each locked or not as was last decided."""
    locks = {answer["booking"]: bool(answer["locked"]) for answer in answers_of(reader, "lock")}
    return [
        replace(booking, locked=locks.get(str(booking.booking_id), booking.locked))
        for booking in bookings
    ]


def directive_for(candidate: Candidate, directive: str) -> Directive:
    """A directive about the pass of a candidate."""
    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    return Directive(
        satellite=candidate.satellite_id,
        station=candidate.station_id,
        at=middle,
        directive=directive,
    )


def add_directive(tx: Transaction, directive: Directive, *, at: datetime) -> None:
    """Write a directive down; it holds for every later plan until another one follows."""
    assert directive.directive in DIRECTIVES
    number = len(answers_of(tx, "directive")) + 1
    command = tx.command(f"directive/{number}", kind="directive", at=at)
    command.finish(
        {
            "satellite": directive.satellite,
            "station": directive.station,
            "at": instant_key(directive.at),
            "directive": directive.directive,
        }
    )


def directives_of(reader: Reader) -> list[Directive]:
    """Every directive, oldest first."""
    return [
        Directive(
            satellite=answer["satellite"],
            station=answer["station"],
            at=datetime.fromisoformat(answer["at"]),
            directive=answer["directive"],
        )
        for answer in answers_of(reader, "directive")
    ]


def directed(
    directives: Sequence[Directive], candidates: Sequence[Candidate]
) -> tuple[frozenset[str], frozenset[str]]:
    """The passes pinned and vetoed among some candidates; of several directives the last counts."""
    found: dict[str, str] = {}
    for directive in directives:
        for candidate in candidates:
            if directive.means(candidate):
                found[candidate.pass_id] = directive.directive
    return (
        frozenset(name for name, directive in found.items() if directive == "pin"),
        frozenset(name for name, directive in found.items() if directive == "veto"),
    )


def parse_pass(context: Context, name: str) -> Directive:
    """Read satellite/station/instant, any instant of the pass. Raises InputError, UnknownName."""
    parts = name.split("/")
    try:
        satellite, station, text = parts
        at = datetime.fromisoformat(text.split("--")[0])
        if at.tzinfo is None:
            raise ValueError(text)
    except ValueError:
        raise InputError(
            f"pass {name[:80]!r}; allowed: SATELLITE/STATION/INSTANT, an instant of the pass with"
            " its zone, e.g. micius/xinglong/2016-12-19T16:50:00Z"
        ) from None
    return Directive(
        satellite=context.satellite(satellite).satellite_id,
        station=context.stations([station])[0].station_id,
        at=at,
        directive="none",
    )
