"""Optical switches: for which share of time each of their links is on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from scheduler.network.model import Contradiction, Link, Switch

_ROUNDING = 1e-9  # Sums of decimal fractions, nothing else.


def time_shares(
    switches: Sequence[Switch], links: Sequence[Link], stated: Mapping[str, float | None]
) -> tuple[dict[str, float], list[Contradiction]]:
    """Return the share of time of every switched link by its pool, and what is wrong.

    Parameters
    ----------
    stated : pool_id -> share of the switch's time that the scenario gives a link, None for none

    A switch of which k are on at once has a time of k to share out among its links and the
    switches behind it, to each at most 1. Those without a stated share get equal parts of what
    the others leave. A link behind several switches is on while all of them turn to it: the
    product of its shares.
    """
    by_id = {one.switch_id: one for one in switches}
    ports: dict[str, list[str]] = {one.switch_id: [] for one in switches}
    for one in switches:
        ports.get(one.behind, []).append(one.switch_id)
    for link in links:
        ports.get(link.switch, []).append(link.pool.pool_id)
    wrong = [*_circles(by_id), *_stray_shares(links, stated)]
    if wrong:
        return {}, wrong
    own: dict[str, float] = {}
    for name, items in ports.items():
        given = {item: share for item in items if (share := stated.get(item)) is not None}
        left = by_id[name].at_once - sum(given.values())
        rest = len(items) - len(given)
        if left < -_ROUNDING or (rest and left <= _ROUNDING):
            wrong.append(_overbooked(by_id[name], sum(given.values()), rest))
        own |= {item: given.get(item, min(1.0, left / max(1, rest))) for item in items}
    if wrong:
        return {}, wrong
    shares: dict[str, float] = {}
    for link in links:
        if link.switch in by_id:
            share = own[link.pool.pool_id]
            for switch in _way(by_id[link.switch], by_id):
                share *= own.get(switch.switch_id, 1.0)
            shares[link.pool.pool_id] = share
    return shares, []


def _way(switch: Switch, by_id: Mapping[str, Switch]) -> Iterator[Switch]:
    """The switch and those that it is behind, up to one that is there twice."""
    seen: set[str] = set()
    at: Switch | None = switch
    while at is not None and at.switch_id not in seen:
        seen.add(at.switch_id)
        yield at
        at = by_id.get(at.behind)


def _circles(by_id: Mapping[str, Switch]) -> Iterator[Contradiction]:
    told: set[str] = set()
    for name, switch in by_id.items():
        way = [one.switch_id for one in _way(switch, by_id)]
        if by_id[way[-1]].behind == name and name not in told:
            told.update(way)
            text = f"switch {' behind '.join((*way, name))}; allowed: a chain that ends"
            yield Contradiction(kind="switch", name=name, text=text)


def _stray_shares(
    links: Sequence[Link], stated: Mapping[str, float | None]
) -> Iterator[Contradiction]:
    for link in links:
        name, share = link.pool.pool_id, stated.get(link.pool.pool_id)
        if share is not None and not link.switch:
            text = f"link {name}: share {share:g} without a switch; allowed: with one"
            yield Contradiction(kind="link", name=name, text=text)


def _overbooked(switch: Switch, given: float, rest: int) -> Contradiction:
    others = f" and leave none for {rest} more" if rest else ""
    return Contradiction(
        kind="switch",
        name=switch.switch_id,
        text=(
            f"switch {switch.switch_id}: stated shares add up to {given:g}{others}; allowed: up to"
            f" at_once, {switch.at_once}, with some left for those that state none"
        ),
    )
