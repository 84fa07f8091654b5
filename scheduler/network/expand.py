"""Legs and parallel links: one table of a scenario -> relays and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from scheduler.domain import Pool
from scheduler.network.keys import PARALLEL_MAX, SPAN_KM_MAX, SPAN_KM_MIN, SPAN_RULE
from scheduler.network.kinds import LinkKind, NodeKind
from scheduler.network.model import Link, Node, Switch
from scheduler.network.places import place_of, within_half_turn
from scheduler.network.table import Table

_SUM_TOLERANCE_KM = 1e-6  # Sums of decimal fractions, nothing else.


@dataclass(frozen=True, slots=True)
class Expansion:
    """What one table of a scenario stands for."""

    nodes: Sequence[Node] = ()
    links: Sequence[Link] = ()
    switches: Sequence[Switch] = ()


def expand_leg(table: Table, places: Mapping[str, Node], missing: frozenset[str]) -> Expansion:
    """Return the relays and spans of one leg; none if its mistakes were noted.

    `missing` are places of the file that something else is wrong with.
    """
    start, end = table["from"], table["to"]
    sound = [is_place(table, key, table[key], places, missing) for key in ("from", "to")]
    spans_km = _spans_km(table)
    parallel = _parallel(table, len(spans_km))
    if not spans_km or not parallel or not all(sound):
        return Expansion()
    prefix = table["prefix"] or f"{start}-{end}"
    relays: list[Node] = []
    links: list[Link] = []
    with table.checked():
        ends = places[start], places[end]
        relays = relay_chain(prefix, *ends, spans_km, domain=table["domain"])
        chain = [start, *(relay.node_id for relay in relays), end]
        links = [
            fibre_link(table, Pool.link(chain[hop], chain[hop + 1], twin), length_km)
            for hop, length_km in enumerate(spans_km)
            for twin in range(1, parallel[hop] + 1)
        ]
    return Expansion(relays, links)


def is_place(
    table: Table, key: str, name: str, places: Mapping[str, Node], missing: frozenset[str]
) -> bool:
    """Whether a table's key names a node with a place; notes it if the file has no such node."""
    node = places.get(name)
    if node is not None and node.lat_deg is not None:
        return True
    if name not in missing:
        table.wrong(f"is {name!r}; allowed: a station or one of [[nodes]]", key)
    return False


def expand_links(table: Table) -> list[Link]:
    """Return a single link, or several in parallel; none if its mistakes were noted."""
    ends = table["from"], table["to"]
    if ends[0] == ends[1]:
        table.wrong(f"both ends are {ends[0]!r}; allowed: two nodes")
        return []
    with table.checked():
        kind = LinkKind(table["kind"])
        return [
            fibre_link(
                table, Pool.link(*ends, twin), table["length_km"], kind, switch=table["switch"]
            )
            for twin in range(1, table["parallel"] + 1)
        ]
    return []


def fibre_link(
    table: Table,
    pool: Pool,
    length_km: float,
    kind: LinkKind = LinkKind.FIBRE,
    *,
    switch: str = "",
) -> Link:
    """Return a link of that length with what a table says of its links."""
    return Link(
        pool=pool,
        kind=kind,
        length_km=length_km,
        preset=table["preset"],
        synthetic=table.values.get("synthetic", True),
        rate_bps=table["rate_bps"],
        buffer_bits=table["buffer_bits"],
        reserve_bits=table["reserve_bits"],
        parallel=pool.parallel,
        source=table["source"],
        switch=switch,
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


def relay_chain(
    prefix: str,
    start: Node,
    end: Node,
    spans_km: Sequence[float],
    *,
    domain: str,
    first: int = 1,
) -> list[Node]:
    """Return a relay at each joint of two spans, numbered on; their places are our invention."""
    (lat, lon), (to_lat, to_lon) = place_of(start), place_of(end)
    east_deg = within_half_turn(to_lon - lon)  # a leg takes the shorter way
    total_km, along_km, relays = fsum(spans_km), 0.0, []
    for number, span_km in enumerate(spans_km[:-1], start=first):
        along_km += span_km
        part = along_km / total_km
        relays.append(
            Node(
                node_id=f"{prefix}-{number}",
                kind=NodeKind.RELAY,
                name=f"{prefix} {number}",
                lat_deg=round(lat + part * (to_lat - lat), 6),
                lon_deg=round(within_half_turn(lon + part * east_deg), 6),
                synthetic=True,
                domain=domain,
                source="synthetic: on the straight line between the ends of its leg",
            )
        )
    return relays
