"""Who calls a door, and which key manager it calls: one a node, by the name it is called by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.kme.errors import Refused
from api.security.certificates import Peer, kme_of
from scheduler.errors import NotAllowed, NotAuthenticated
from scheduler.services import delivery
from scheduler.services.context import Context

PeerOf = Callable[[Mapping[str, Any]], Peer]


def kme_id(node: str) -> str:
    """Return the id of the key manager of a node."""
    return f"kme-{node}"


def shown_kme_id(request: Request) -> str | None:
    """Return the id in the server certificate of this connection; None without TLS."""
    try:
        return kme_of(request.scope)
    except NotAuthenticated:
        return None


def context_of(request: Request) -> Context:
    """Return the context that the application was built on."""
    context: Context = request.app.state.context
    return context


def application(request: Request) -> str:
    """Return the SAE id of the caller. Raises NotAllowed for any other than an application."""
    peer = _peer(request)
    if peer.plane != "application":
        raise NotAllowed("the certificate is one of a key manager; allowed: an application's")
    return peer.name


def other_network(request: Request) -> str:
    """Return the KME id of the calling key manager. Raises NotAllowed for any other caller."""
    peer = _peer(request)
    if peer.plane != "peer":
        raise NotAllowed("the certificate is one of an application; allowed: a key manager's")
    return peer.name


async def check_place(request: Request, sae_id: str) -> None:
    """Raise NotAllowed if the key manager that is called is not that of the entity's node.

    The setting `kme_hosts` says which name is whose: the id in the certificate that the caller was
    shown, or the host it asked for. By any other name the one process answers as the key manager
    of whoever calls.
    """
    context = context_of(request)
    hosts = context.settings.kme_hosts
    if not hosts:
        return
    name = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    node = hosts.get(shown_kme_id(request) or "", hosts.get(name.lower()))
    if node is None:
        return
    if await run_in_threadpool(delivery.node_of, context, sae_id) != node:
        raise NotAllowed(f"SAE is not registered at {kme_id(node)}")


def refuse_self(caller: str, named: str) -> None:
    """Raise Refused for a caller that names itself as the other side."""
    if caller == named:
        raise Refused(400, "the SAE in the path is the caller; allowed: the other side")


def _peer(request: Request) -> Peer:
    peer_of: PeerOf = request.app.state.peer_of
    return peer_of(request.scope)
