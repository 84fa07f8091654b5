"""Use cases: element sets held back as they come in, accepted again, and taken out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orbits import Elements, Standing, Verdict, as_utc, iso_utc, judge
from scheduler.domain import ElementsAnswer
from scheduler.errors import InputError, UnknownName
from scheduler.services.plans.directives import check_reason

if TYPE_CHECKING:
    from scheduler.services.context import Context

NAMED_MAX = 1000
_SECOND = timedelta(seconds=1)  # of which a list shows no parts


def judged(
    context: Context, fresh: Collection[Elements], *, since: datetime | None
) -> tuple[Verdict, ...]:
    """The verdicts that sets about to be added call for, none of them before an earlier one's.

    A set that says what another one says, in another text, has the verdicts of that one.
    """
    numbers = {item.norad_id for item in fresh}
    known: Iterable[Elements] = context.archive
    if len(numbers) == 1:
        known = context.archive_of(*numbers)
    same = {item: item for item in known if item.norad_id in numbers}
    for item in fresh:
        same.setdefault(item, item)
    given = context.verdicts
    verdicts = [
        replace(verdict, since=_not_before(context, verdict.sha256, since))
        for verdict in judge(same, given, since=since)
    ]
    if not (verdicts or given):
        return ()
    for item in fresh:
        twin = same[item]
        if twin.sha256 != item.sha256 and not given.on(item):
            of_twin = [*given.on(twin), *(one for one in verdicts if one.sha256 == twin.sha256)]
            verdicts += [replace(one, sha256=item.sha256) for one in of_twin]
    return tuple(verdicts)


def accept_elements(
    context: Context,
    named: Sequence[str | datetime],
    *,
    satellite: int | None = None,
    reason: str = "",
) -> ElementsAnswer:
    """Let sets serve that are held back or taken out, and never judge them again.

    A set is named by how its SHA-256 begins, or by its epoch. One that has always been held
    back serves as if it had never been; any other from now on. Raises UnknownName for a set
    that is not known, InputError for a name of several.
    """
    context.refresh_elements()
    now = context.clock.now()
    chosen = _chosen(context, named, satellite, but=Standing.ACCEPTED)
    return _decide(
        context,
        [
            Verdict(
                sha256=item.sha256,
                standing=Standing.ACCEPTED,
                since=_since_accepted(context, item, now),
                reason=reason,
            )
            for item in chosen
        ],
        chosen,
    )


def withdraw_elements(
    context: Context,
    named: Sequence[str | datetime],
    *,
    satellite: int | None = None,
    since: datetime | None = None,
    reason: str = "",
) -> ElementsAnswer:
    """Take sets out from an instant on, now if not given; what is as known before sees them.

    Raises as `accept_elements` does, and InputError for an instant before the last decision
    about a set.
    """
    context.refresh_elements()
    start = context.clock.now() if since is None else as_utc(since)
    chosen = _chosen(context, named, satellite, but=Standing.WITHDRAWN)
    for item in chosen:
        last = _not_before(context, item.sha256, start)
        if last != start:
            raise InputError(
                f"withdrawn from {iso_utc(start)} on; allowed: from {iso_utc(last or start)} on,"
                f" since when the set of {_label(item)} is {context.verdicts.standing(item)}"
            )
    return _decide(
        context,
        [
            Verdict(sha256=item.sha256, standing=Standing.WITHDRAWN, since=start, reason=reason)
            for item in chosen
        ],
        chosen,
    )


def _not_before(context: Context, sha256: str, since: datetime | None) -> datetime | None:
    """That instant, or the one of the last verdict on a set if it is later; None is the first."""
    last = context.verdicts.last_on(sha256)
    if last is None or last.since is None:
        return since
    return last.since if since is None else max(since, last.since)


def _since_accepted(context: Context, item: Elements, now: datetime) -> datetime | None:
    last = context.verdicts.last(item)
    always = last is None or last.since is None
    return None if always else _not_before(context, item.sha256, now)


def _decide(
    context: Context, verdicts: Sequence[Verdict], chosen: Sequence[Elements]
) -> ElementsAnswer:
    for verdict in verdicts:
        check_reason(verdict.reason)
    fresh = [
        verdict
        for verdict, item in zip(verdicts, chosen, strict=True)
        if context.verdicts.standing(item) is not verdict.standing
    ]
    now = context.clock.now()
    if fresh:
        # Late: a list of element sets needs no tables.
        from scheduler.ledger.books.verdicts import add_verdicts

        with context.ledger.begin() as tx:
            add_verdicts(tx, fresh, at=now)
        context.refresh_elements()
    given = context.verdicts
    return ElementsAnswer(
        at=now, elements=tuple(chosen), verdicts=tuple(given.last(item) for item in chosen)
    )


def _chosen(
    context: Context, named: Sequence[str | datetime], number: int | None, *, but: Standing
) -> list[Elements]:
    """The sets of those names, each once; of several of one name those of no such standing."""
    if not 1 <= len(named) <= NAMED_MAX:
        raise InputError(f"{len(named)} element sets named; allowed: 1 to {NAMED_MAX}")
    known = list(context.archive if number is None else context.archive_of(number))
    given = context.verdicts
    chosen: dict[str, Elements] = {}
    for name in named:
        found = [item for item in known if _is_meant(item, name)]
        if not found:
            raise UnknownName(f"no element set {_words(name)}; `skytrunk elements list` shows them")
        if len(found) > 1:
            found = [item for item in found if given.standing(item) is not but] or found
        if len(found) > 1:
            several = ", ".join(f"{item.sha256[:12]} ({_label(item)})" for item in found[:5])
            raise InputError(
                f"{len(found)} element sets {_words(name)}: {several}; allowed: how the SHA-256"
                " of one begins"
            )
        chosen[found[0].sha256] = found[0]
    return list(chosen.values())


def _is_meant(item: Elements, name: str | datetime) -> bool:
    if isinstance(name, datetime):
        return name <= item.epoch < name + _SECOND
    return item.sha256.startswith(name)


def _words(name: str | datetime) -> str:
    if isinstance(name, datetime):
        return f"of {iso_utc(name)}"
    return f"whose SHA-256 begins {name[:64]!r}"


def _label(item: Elements) -> str:
    return f"{item.label} of {iso_utc(item.epoch)}"
