"""Reading and applying what people decide about passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.domain import (
    PAIR_MARK,
    Candidate,
    Directive,
    DirectiveKind,
    PassName,
    station_ids,
)
from scheduler.errors import InputError, NotAllowed

if TYPE_CHECKING:
    from scheduler.network import Operator
    from scheduler.services.context import Context

TEXT_MAX = 200
"""Characters of a reason that a person gives."""


def check_reason(reason: str) -> None:
    """Raise InputError for a reason that is too long or not printable."""
    if len(reason) > TEXT_MAX or not reason.isprintable():
        raise InputError(
            f"reason {reason[:40]!r} has {len(reason)} characters; allowed: up to {TEXT_MAX},"
            " all printable"
        )


def check_operator(context: Context, operator: Operator | None, satellite_id: str) -> None:
    """Raise NotAllowed where a satellite is of another operator than the one who decides."""
    sharing = context.scenario.sharing
    if operator is not None and not sharing.may_book(operator, satellite_id):
        raise NotAllowed(
            f"{satellite_id} is of {sharing.operator_of(satellite_id)}; allowed to"
            f" {operator.operator_id}: sessions of {', '.join(operator.satellites) or 'none'}"
        )


def directed(
    directives: Sequence[Directive], candidates: Sequence[Candidate]
) -> tuple[frozenset[str], frozenset[str]]:
    """The passes pinned and vetoed among some candidates; of several directives the last counts."""
    found: dict[str, DirectiveKind] = {}
    for directive in directives:
        for candidate in candidates:
            if directive.subject.means(candidate):
                found[candidate.pass_id] = directive.kind
    return (
        frozenset(name for name, kind in found.items() if kind is DirectiveKind.PIN),
        frozenset(name for name, kind in found.items() if kind is DirectiveKind.VETO),
    )


def parse_pass(context: Context, name: str) -> PassName:
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
    return PassName(
        satellite_id=context.satellite(satellite).satellite_id,
        station_id=PAIR_MARK.join(one.station_id for one in context.stations(station_ids(station))),
        at=at,
    )
