"""Small networks for the tests of merging."""

from collections.abc import Sequence

from scheduler.domain import Demand, Pool
from scheduler.network import Link, LinkKind, Node, NodeKind, Scenario

Ends = tuple[str, str]


def network(
    *links: Ends, users: Sequence[str] = (), parallel: int = 1, reserve_bits: int = 0
) -> Scenario:
    """Relays (and users) joined by fibre, each link `parallel` times."""
    names = sorted({name for link in links for name in link})
    return Scenario(
        name="drawn",
        title="Drawn by a test",
        nodes=tuple(
            Node(
                node_id=name,
                kind=NodeKind.USER if name in users else NodeKind.RELAY,
                name=name,
                lat_deg=0.0,
                lon_deg=0.0,
                synthetic=True,
            )
            for name in names
        ),
        links=tuple(
            Link(
                pool=Pool.link(*link, number),
                kind=LinkKind.FIBRE,
                length_km=50.0,
                preset="trunk-span",
                synthetic=True,
                parallel=number,
                reserve_bits=reserve_bits,
            )
            for link in links
            for number in range(1, parallel + 1)
        ),
    )


def want(one: str, other: str, bits_per_day: int = 2560, **more: object) -> Demand:
    """A demand between two nodes, called `one--other`."""
    return Demand(
        demand_id=f"{one}--{other}",
        node_a=min(one, other),
        node_b=max(one, other),
        bits_per_day=bits_per_day,
        **more,  # type: ignore[arg-type]
    )
