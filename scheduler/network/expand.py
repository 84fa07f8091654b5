"""Legs and parallel links: one table of a scenario -> relays and links."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum

from scheduler.domain import Pool
from scheduler.network.keys import PARALLEL_MAX, SPAN_KM_MAX, SPAN_KM_MIN, SPAN_RULE
from scheduler.network.kinds import LinkKind, NodeKind
from scheduler.network.model import Link, Node
from scheduler.network.table import Table

_SUM_TOLERANCE_KM = 1e-6  # Sums of decimal fractions, nothing else.


def expand_leg(
    table: Table, places: Mapping[str, Node], missing: frozenset[str]
) -> tuple[list[Node], list[Link]]:
    """Return the relays and spans of one leg; none if its mistakes were noted.

    `missing` are places of the file that something else is wrong with.
    """
    start, end = table["from"], table["to"]
    for key in ("from", "to"):
        node = places.get(table[key])
        if (node is None or node.lat_deg is None) and table[key] not in missing:
            table.wrong(f"is {table[key]!r}; allowed: a station or one of [[nodes]]", key)
    spans_km = _spans_km(table)
    parallel = _parallel(table, len(spans_km))
    if not spans_km or not parallel or start not in places or end not in places:
        return [], []
    if places[start].lat_deg is None or places[end].lat_deg is None:
        return [], []
    prefix = table["prefix"] or f"{start}-{end}"
    relays: list[Node] = []
    links: list[Link] = []
    with table.checked():
        relays = _relays(prefix, places[start], places[end], spans_km, domain=table["domain"])
        chain = [start, *(relay.node_id for relay in relays), end]
        links = [
            _span(table, Pool.link(chain[hop], chain[hop + 1], twin), length_km, twin)
            for hop, length_km in enumerate(spans_km)
            for twin in range(1, parallel[hop] + 1)
        ]
    return relays, links


def expand_links(table: Table) -> list[Link]:
    """Return a single link, or several in parallel; none if its mistakes were noted."""
    ends = table["from"], table["to"]
    if ends[0] == ends[1]:
        table.wrong(f"both ends are {ends[0]!r}; allowed: two nodes")
        return []
    with table.checked():
        return [
            _span(table, Pool.link(*ends, twin), table["length_km"], twin,
                  LinkKind(table["kind"]))
            for twin in range(1, table["parallel"] + 1)
        ]  # fmt: skip
    return []


def _span(
    table: Table, pool: Pool, length_km: float, twin: int, kind: LinkKind = LinkKind.FIBRE
) -> Link:
    return Link(
        pool=pool,
        kind=kind,
        length_km=length_km,
        preset=table["preset"],
        synthetic=table["synthetic"],
        rate_bps=table["rate_bps"],
        buffer_bits=table["buffer_bits"],
        reserve_bits=table["reserve_bits"],
        parallel=twin,
        source=table["source"],
        switch=table.values.get("switch", ""),
    )


def _spans_km(table: Table) -> list[float]:
    """Read the lengths of a leg's spans: a list, or a count of equal ones."""
    length_km, count, spans_km = table["length_km"], table["span_count"], table["spans_km"]
    if (count is None) == (spans_km is None):
        table.wrong("has span_count and spans_km both or neither; allowed: one of them")
        return []
    spans: list[float] = [length_km / count] * count if count else spans_km
    key = "span_count" if count else "spans_km"
    for span in spans:
        if not SPAN_KM_MIN <= span <= SPAN_KM_MAX:
            table.wrong(f"has a span of {span:g} km; {SPAN_RULE}", key)
            return []
    if abs(fsum(spans) - length_km) > _SUM_TOLERANCE_KM:
        table.wrong(f"add up to {fsum(spans):g}; allowed: length_km, {length_km:g}", key)
        return []
    return spans


def _parallel(table: Table, count: int) -> list[int]:
    parallel = [1.0] * count if table["parallel"] is None else table["parallel"]
    if not count:
        return []
    if len(parallel) != count or not all(
        n.is_integer() and 1 <= n <= PARALLEL_MAX for n in parallel
    ):
        table.wrong(
            f"is {parallel}; allowed: 1 to {PARALLEL_MAX} for each of {count} spans", "parallel"
        )
        return []
    return [int(n) for n in parallel]


def _relays(
    prefix: str, start: Node, end: Node, spans_km: list[float], *, domain: str
) -> list[Node]:
    """Place a relay at each joint of two spans. Their places are always our invention."""
    assert start.lat_deg is not None
    assert start.lon_deg is not None
    assert end.lat_deg is not None
    assert end.lon_deg is not None
    east_deg = _within_half_turn(end.lon_deg - start.lon_deg)
    total_km, along_km, relays = fsum(spans_km), 0.0, []
    for number, span_km in enumerate(spans_km[:-1], start=1):
        along_km += span_km
        part = along_km / total_km
        relays.append(
            Node(
                node_id=f"{prefix}-{number}",
                kind=NodeKind.RELAY,
                name=f"{prefix} {number}",
                lat_deg=round(start.lat_deg + part * (end.lat_deg - start.lat_deg), 6),
                lon_deg=round(_within_half_turn(start.lon_deg + part * east_deg), 6),
                synthetic=True,
                domain=domain,
                source="synthetic: on the straight line between the ends of its leg",
            )
        )
    return relays


def _within_half_turn(lon_deg: float) -> float:
    """The same longitude, or step of one, within -180 to 180: a leg takes the shorter way."""
    if -180.0 <= lon_deg <= 180.0:
        return lon_deg
    return (lon_deg + 180.0) % 360.0 - 180.0
