"""Use cases: application entities registered at nodes of the network, and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scheduler.domain import Sae
from scheduler.errors import InputError
from scheduler.ledger.books import saes
from scheduler.ledger.log.canonical import request_digest
from scheduler.network import NodeKind

if TYPE_CHECKING:
    from scheduler.services.context import Context


def add_sae(context: Context, *, sae_id: str, node: str) -> dict[str, Any]:
    """Register an entity at a node: from now on it draws and collects key there.

    One of another network is registered at its KME id, as the setting `kme_peers` has it.

    Raises UnknownName for a node that is not in the scenario, InputError for an impossible id or a
    satellite, WrongState for one that is registered.
    """
    if node not in context.settings.kme_peers:
        found = context.scenario.node(node)
        if found.kind is NodeKind.SATELLITE:
            raise InputError(f"node {node!r} is a satellite; allowed: a node on the ground")
    sae = Sae(sae_id=sae_id, node=node)
    with context.ledger.begin() as tx:
        context.check_scenario(tx)
        # An entity may be removed and come again, so the name alone is no request.
        command = tx.command(
            f"sae/{uuid4()}",
            kind="sae",
            at=context.clock.now(),
            digest=request_digest(sae_id, node),
        )
        saes.add(tx, command, sae)
        answer = {"sae_id": sae.sae_id, "node": sae.node}
        command.finish(answer)
    return answer


def remove_sae(context: Context, sae_id: str) -> dict[str, Any]:
    """Remove an entity: no key is drawn for it or given to it any more. Raises UnknownName."""
    with context.existing_ledger.begin() as tx:
        command = tx.command(
            f"sae/{uuid4()}",
            kind="sae-removed",
            at=context.clock.now(),
            digest=request_digest(sae_id),
        )
        sae = saes.remove(tx, command, sae_id)
        answer = {"sae_id": sae.sae_id, "node": sae.node}
        command.finish(answer)
    return answer


def list_saes(context: Context) -> list[Sae]:
    """Every entity that is registered, by name."""
    with context.view.read() as reader:
        return saes.registered(reader.connection)
