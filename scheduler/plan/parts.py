"""Parts of passes: one that clashes, or meets quiet hours, is cut short instead of dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from scheduler.domain import Candidate, instant_key
from scheduler.plan.problem import PlanRules

Span = tuple[datetime, datetime]
Part = tuple[Candidate, datetime, datetime]
PartForecasts = Callable[[Sequence[Part]], Iterable[Candidate | None]]
"""The parts [AOS, LOS) of passes with their own forecasts, made by `part_of`; None: no use."""

Gap = Callable[[Candidate, Candidate], float]

PART_S_MIN = 60.0  # a shorter session gives a block too small for a finite key


def with_parts(
    candidates: Sequence[Candidate],
    rules: PlanRules,
    forecasts: PartForecasts,
    *,
    parts_max: int = 4,
) -> tuple[Candidate, ...]:
    """Return the candidates and, where they clash or meet quiet hours, useful parts of them.

    Of each pass at most `parts_max` parts are forecast, the longest first. A plan books at most
    one option of a pass.
    """
    cut = _outside_quiet(candidates, clash_spans(candidates, rules), rules)
    asked = [
        (candidates[index], *span)
        for index, spans in cut.items()
        for span in sorted(sorted(_distinct(spans), key=_by_length)[:parts_max])
    ]
    return (*candidates, *(part for part in forecasts(asked) if part is not None))


def outside_quiet(candidate: Candidate, span: Span, rules: PlanRules) -> list[Span]:
    """The parts of a span, long enough for a session, in which none of its stations is quiet."""
    spans = [span]
    for station in candidate.station_ids:
        for hours in rules.quiet_hours.get(station, ()):
            spans = [part for one in spans for part in hours.outside(*one)]
    least = timedelta(seconds=max(PART_S_MIN, rules.min_duration_s))
    return [(start, end) for start, end in spans if (start, end) == span or end - start >= least]


def _outside_quiet(
    candidates: Sequence[Candidate], clashing: dict[int, set[Span]], rules: PlanRules
) -> dict[int, set[Span]]:
    """The parts for each candidate, those of one that meets quiet hours outside of them."""
    if not rules.quiet_hours:
        return clashing
    found: dict[int, set[Span]] = {}
    for index, candidate in enumerate(candidates):
        whole = candidate.acquires_at, candidate.loses_at
        spans = {whole, *clashing.get(index, ())}
        kept = {part for span in spans for part in outside_quiet(candidate, span, rules)} - {whole}
        if kept:
            found[index] = kept
    return found


def _by_length(span: Span) -> tuple[timedelta, datetime]:
    """The longest first, of equal ones the earlier."""
    return span[0] - span[1], span[0]


def _distinct(spans: Iterable[Span]) -> Iterable[Span]:
    """The spans that have a name of their own; of those within a millisecond the shortest.

    The shortest keeps clear of whatever the others were cut for.
    """
    return {tuple(map(_named, span)): span for span in sorted(spans, key=_by_length)}.values()


def _named(when: datetime) -> datetime:
    """An instant as far as a name tells it, in whole milliseconds."""
    return when.replace(microsecond=when.microsecond // 1000 * 1000)


def clash_spans(candidates: Sequence[Candidate], rules: PlanRules) -> dict[int, set[Span]]:
    """For each candidate that clashes, the spans that clear another: before, after, or halfway.

    Halfway, the earlier pass hands over to the later in the middle of what they share.
    """
    spans: dict[int, set[Span]] = defaultdict(set)
    by_satellite = [(candidate.satellite_id,) for candidate in candidates]
    by_mount = [rules.mounts_of(candidate) for candidate in candidates]
    for names, gap_s in ((by_satellite, rules.satellite_gap_s), (by_mount, rules.mount_gap_s)):
        groups: dict[str, list[int]] = defaultdict(list)
        for index in sorted(range(len(candidates)), key=lambda i: candidates[i].acquires_at):
            for name in names[index]:
                groups[name].append(index)
        for members in groups.values():
            for one, other in _clashing(candidates, members, gap_s, rules.longest_gap_s):
                _cut(candidates, one, other, gap_s, spans, rules)
    return spans


def _clashing(
    candidates: Sequence[Candidate], members: Sequence[int], gap_s: Gap, longest_gap_s: float
) -> Iterable[tuple[int, int]]:
    """Pairs of different passes that cannot both be had whole; `members` are in order of AOS."""
    longest = timedelta(seconds=longest_gap_s)
    for place, one in enumerate(members):
        first = candidates[one]
        for other in members[place + 1 :]:
            second = candidates[other]
            if second.acquires_at >= first.loses_at + longest:
                break
            near = second.acquires_at < first.loses_at + timedelta(seconds=gap_s(first, second))
            if near and second.pass_id != first.pass_id:
                yield one, other


def _cut(
    candidates: Sequence[Candidate],
    one: int,
    other: int,
    gap_s: Gap,
    spans: dict[int, set[Span]],
    rules: PlanRules,
) -> None:
    """Add the spans that keep two clashing passes (the first begins first) apart."""
    first, second = candidates[one], candidates[other]
    there = timedelta(seconds=gap_s(first, second))
    back = timedelta(seconds=gap_s(second, first))
    middle = second.acquires_at + (min(first.loses_at, second.loses_at) - second.acquires_at) / 2
    least = timedelta(seconds=max(PART_S_MIN, rules.min_duration_s))
    for index, start, end in (
        (one, first.acquires_at, second.acquires_at - there),
        (one, second.loses_at + back, first.loses_at),
        (other, first.loses_at + there, second.loses_at),
        (one, first.acquires_at, middle - there / 2),
        (other, middle + there / 2, second.loses_at),
    ):
        if end - start >= least:
            spans[index].add((start, end))


def part_of(
    whole: Candidate,
    acquires_at: datetime,
    loses_at: datetime,
    *,
    sifted_bits: float,
    secret_bits: float,
    qber: float,
    secret_bits_spread: float = 0.0,
    max_elevation_deg: float | None = None,
    range_km_min: float | None = None,
) -> Candidate:
    """The option that is part of a pass, named satellite/station/AOS--LOS."""
    pair = f"{whole.satellite_id}/{whole.station_id}"
    starts, ends = acquires_at == whole.acquires_at, loses_at == whole.loses_at
    return Candidate(  # each field named: `replace` takes three times as long
        candidate_id=f"{pair}/{instant_key(acquires_at)}--{instant_key(loses_at)}",
        pass_id=whole.pass_id,
        satellite_id=whole.satellite_id,
        station_id=whole.station_id,
        acquires_at=acquires_at,
        loses_at=loses_at,
        elements_epoch=whole.elements_epoch,
        clear_probability=whole.clear_probability,
        sifted_bits=sifted_bits,
        secret_bits=secret_bits,
        qber=qber,
        secret_bits_spread=secret_bits_spread,
        max_elevation_deg=(
            whole.max_elevation_deg if max_elevation_deg is None else max_elevation_deg
        ),
        range_km_min=whole.range_km_min if range_km_min is None else range_km_min,
        acquires_azimuth_deg=whole.acquires_azimuth_deg if starts else None,
        acquires_elevation_deg=whole.acquires_elevation_deg if starts else None,
        loses_azimuth_deg=whole.loses_azimuth_deg if ends else None,
        loses_elevation_deg=whole.loses_elevation_deg if ends else None,
    )
