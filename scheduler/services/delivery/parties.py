"""Who draws key with whom: application entities, their nodes, and the pool between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.domain import Pool, Sae, check_sae_id
from scheduler.errors import InputError, NotAllowed, UnknownName
from scheduler.ledger.books import saes
from scheduler.ledger.keys.copies import FIRST_SIDE

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """A master and its slaves, and the pool that their two nodes share.

    A slave in another network has its key at the node where that network's key manager stands.
    """

    master: Sae
    slaves: tuple[Sae, ...]
    hub: str  #: the master's node
    pool: Pool
    further: tuple[Pool, ...]  #: the master's node and each other one that gets a copy
    recipients: dict[str, int]
    """Who has the bytes of which end: 0 node_a's, 1 node_b's, then those of the further pools."""

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Every pool that the keys cost key of."""
        return self.pool, *self.further


def outgoing_name(peer: str, sae_id: str = "") -> str:
    """The recipient of keys for an entity in another network; no SAE id has a stroke in it."""
    return f"{peer}/{sae_id}"


def caller_of(reader: Reader, name: str) -> Sae:
    """The registered entity that calls. Raises NotAllowed for any other."""
    found = saes.find(reader.raw, [name]).get(name)
    if found is None:
        raise NotAllowed(f"SAE {name[:40]!a} is not registered")
    return found


def parties_of(
    context: Context, reader: Reader, master: str, slave: str, more: Sequence[str] = ()
) -> Parties:
    """The parties of a request. Raises as `parties_among`."""
    known = saes.find(reader.raw, [master, slave, *more])
    return parties_among(context, known, master, slave, *more)


def parties_among(
    context: Context, known: Mapping[str, Sae], master: str, slave: str, *more: str
) -> Parties:
    """The parties of a request, of entities known to be registered.

    Nodes that the scenario no longer has are unknown. Raises NotAllowed for a master that is not
    registered, UnknownName for such a slave, InputError for one that is named twice, is the
    master, or at its node as the only slave is.
    """
    names = [slave, *more]
    for name in names:
        check_sae_id(name)
    if len(set(names)) != len(names) or master in names:
        raise InputError("an SAE is named twice, or is its own slave; allowed: each once")
    if master not in known:
        raise NotAllowed(f"SAE {master[:40]!a} is not registered")
    if missing := [name for name in names if name not in known]:
        raise UnknownName(f"SAE {missing[0]!r} is not known")
    peers = context.settings.kme_peers
    if known[master].node in peers:
        raise NotAllowed(f"SAE {master!r} is of another network; allowed: its own key manager")
    ours = {name: known[name] for name in (master, *names)}
    here = {
        name: peers[sae.node].node if sae.node in peers else sae.node for name, sae in ours.items()
    }
    one, other = here[master], here[slave]
    if one == other:
        raise InputError(
            f"SAE {master!r} and SAE {slave!r} are both at node {one}; allowed: two nodes"
        )
    context.scenario.node(one)
    context.scenario.node(other)
    pool = Pool.pair(one, other)
    rest = sorted({here[name] for name in more} - {one, other})
    sides = {pool.node_a: 0, pool.node_b: 1}
    for side, node in enumerate(rest, start=FIRST_SIDE):
        sides[context.scenario.node(node).node_id] = side
    return Parties(
        master=known[master],
        slaves=tuple(known[name] for name in names),
        hub=one,
        pool=pool,
        further=tuple(Pool.pair(one, node) for node in rest),
        recipients={
            outgoing_name(sae.node, name) if sae.node in peers else name: sides[here[name]]
            for name, sae in ours.items()
        },
    )
