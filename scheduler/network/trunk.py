"""A trunk of which only totals are known: relays and links shared out over its legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from scheduler.domain import Pool
from scheduler.network.expand import Expansion, fibre_link, is_place, relay_chain
from scheduler.network.keys import PARALLEL_MAX, SPAN_KM_MAX, SPAN_KM_MIN, SPAN_RULE
from scheduler.network.model import Link, Node
from scheduler.network.places import distance_km
from scheduler.network.table import Table


def expand_trunk(table: Table, places: Mapping[str, Node], missing: frozenset[str]) -> Expansion:
    """Return the relays and links of a trunk; none if its mistakes were noted."""
    through: Sequence[str] = table["through"]
    known = [is_place(table, "through", name, places, missing) for name in through]
    if not all(known):
        return Expansion()
    if len(through) < 2 or len(set(through)) < len(through):
        table.wrong(f"is {through}; allowed: two places and more, each once", "through")
        return Expansion()
    span_count, ends = table["relays"] - 1, [places[name] for name in through]
    if span_count < len(through) - 1:
        table.wrong(f"is {table['relays']}; allowed: {len(through)} and more, the places", "relays")
        return Expansion()
    legs_km = [distance_km(*leg) for leg in pairwise(ends)]
    legs_km = [table["length_km"] * leg_km / sum(legs_km) for leg_km in legs_km]
    counts = _shared_out(legs_km, span_count)
    spans = [[leg_km / n] * n for leg_km, n in zip(legs_km, counts, strict=True)]
    parallel = _parallel(table, span_count)
    worst = next((one[0] for one in spans if not SPAN_KM_MIN <= one[0] <= SPAN_KM_MAX), None)
    if worst is not None:
        table.wrong(f"is {table['relays']}, which makes a span of {worst:.1f} km; {SPAN_RULE}",
                    "relays")  # fmt: skip
    if worst is not None or not parallel:
        return Expansion()
    return _chain(table, ends, spans, parallel)


def _chain(
    table: Table,
    ends: Sequence[Node],
    spans: Sequence[Sequence[float]],
    parallel: Sequence[int],
) -> Expansion:
    relays: list[Node] = []
    links: list[Link] = []
    with table.checked():
        chain = [ends[0].node_id]
        for (start, end), leg in zip(pairwise(ends), spans, strict=True):
            made = relay_chain(
                table["id"], start, end, leg, domain=table["domain"], first=len(relays) + 1
            )
            relays += made
            chain += [*(relay.node_id for relay in made), end.node_id]
        lengths_km = [span for leg in spans for span in leg]
        links = [
            fibre_link(table, Pool.link(one, other, number), length_km)
            for (one, other), length_km, count in zip(
                pairwise(chain), lengths_km, parallel, strict=True
            )
            for number in range(1, count + 1)
        ]
    return Expansion(relays, links)


def _shared_out(legs_km: Sequence[float], span_count: int) -> list[int]:
    """How many spans each leg has: each further one goes where the spans are longest."""
    counts = [1] * len(legs_km)
    for _ in range(span_count - len(legs_km)):
        longest = max(range(len(counts)), key=lambda leg: legs_km[leg] / counts[leg])
        counts[longest] += 1
    return counts


def _parallel(table: Table, span_count: int) -> list[int]:
    """Links side by side on each span, as even as whole numbers can be."""
    links = span_count if table["links"] is None else table["links"]
    if not span_count <= links <= span_count * PARALLEL_MAX:
        table.wrong(
            f"is {links}; allowed: {span_count} to {span_count * PARALLEL_MAX}, one and more for"
            f" each of {span_count} spans",
            "links",
        )
        return []
    return [(at + 1) * links // span_count - at * links // span_count for at in range(span_count)]
