"""What does not hold together between the parts of a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.domain import Demand
    from scheduler.network.model import Link, Node, Satellite, Station

NAMES_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One thing that does not hold together, and which part says it."""

    kind: str  #: satellite, station, node, link or demand
    name: str
    text: str


def known_names(names: Iterable[str]) -> str:
    """Say which names are known, NAMES_SHOWN of them at most."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMES_SHOWN} more" if len(ordered) > NAMES_SHOWN else ""
    return f"known: {', '.join(ordered[:NAMES_SHOWN]) or 'none'}{more}"


def contradictions(
    satellites: Sequence[Satellite],
    stations: Sequence[Station],
    nodes: Sequence[Node],
    links: Sequence[Link],
    demands: Sequence[Demand],
    *,
    excused: Callable[[str], bool] = lambda _: False,
) -> list[Contradiction]:
    """Return names that stand twice, and names of nodes that there are not.

    `excused` tells of a name that something else is wrong with it: that it misses is no news.
    """
    twice = [
        *_twice("satellite", [one.satellite_id for one in satellites]),
        *_twice("norad_id", [str(one.norad_id) for one in satellites]),
        *_twice("station", [one.station_id for one in stations]),
    ]
    # What stands twice as station or satellite does so as node and link, too.
    told = {one.name for one in twice}
    twice += _twice("node", [one.node_id for one in nodes if one.node_id not in told])
    twice += _twice("link", [one.pool.pool_id for one in links if told.isdisjoint(_ends(one))])
    twice += _twice("demand", [one.demand_id for one in demands])
    known = {one.node_id for one in nodes}
    named: list[tuple[str, str, Iterable[str]]] = [
        *(("station", one.station_id, (one.node,)) for one in stations),
        *(("link", one.pool.pool_id, _ends(one)) for one in links),
        *(
            ("demand", one.demand_id, (one.node_a, one.node_b, *sorted(one.avoid_nodes)))
            for one in demands
        ),
    ]
    strange = [
        Contradiction(
            kind=kind,
            name=owner,
            text=f"{kind} {owner} names node {name!r}; {known_names(known)}",
        )
        for kind, owner, names in named
        for name in names
        if name not in known and not excused(name)
    ]
    return [*twice, *strange]


def _ends(link: Link) -> tuple[str, str]:
    return link.pool.node_a, link.pool.node_b


def _twice(kind: str, names: Iterable[str]) -> Iterator[Contradiction]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Contradiction(kind=kind, name=name, text=f"{kind} {name!r} is there twice")
