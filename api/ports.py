"""The ports of `skytrunk serve`: the management API, and key delivery over mutual TLS."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.app import create_app
from api.kme import build_app
from api.security.guard import guarded
from api.security.pki import Laboratory
from api.security.tls import ServerTls, TlsFiles
from api.security.transport import Limits, Server
from scheduler.errors import SettingsError

if TYPE_CHECKING:
    import socket

    from scheduler.services.context import Context
    from scheduler.settings import Settings


@dataclass(slots=True, kw_only=True)
class Port:
    """A server, where it listens, and what is said when it does."""

    server: Server
    host: str
    port: int
    greeting: str
    listener: socket.socket | None = None


def ports_of(settings: Settings, context: Context) -> list[Port]:
    """Return the ports that these settings ask for; nothing listens yet.

    Raises SettingsError for certificates that do not hold together.
    """
    limits = Limits(
        handshake_s=settings.request_timeout_s,
        request_s=settings.request_timeout_s,
        idle_s=settings.idle_timeout_s,
        connections=settings.connections_max,
    )
    tls = None
    if settings.certificate is not None:
        tls = ServerTls(TlsFiles(certificates=(settings.certificate,), anonymous=True))
    address = f"http{'s' if tls else ''}://{settings.host}:{settings.port}"
    app = create_app(settings, context)
    ports = [
        Port(
            server=Server(app, tls=tls, limits=limits, stopping=app.state.watch.stop),
            host=settings.host,
            port=settings.port,
            greeting=f"listening on {address} (API at /docs), Ctrl-C stops",
        )
    ]
    if settings.kme_certificates:
        kme_tls = ServerTls(kme_files(settings))
        kme = guarded(build_app(context), requests_per_s=settings.kme_requests_per_s)
        at = f"https://{settings.kme_host}:{settings.kme_port}"
        ports.append(
            Port(
                server=Server(kme, tls=kme_tls, limits=limits),
                host=settings.kme_host,
                port=settings.kme_port,
                greeting=f"delivering keys on {at} as {', '.join(kme_tls.kme_ids)}",
            )
        )
    return ports


def kme_files(settings: Settings) -> TlsFiles:
    """Return the files behind the key manager's port.

    Raises SettingsError for a laboratory's folder beside authorities of another place.
    """
    applications, peers = settings.kme_applications_ca, settings.kme_peers_ca
    lists: tuple[Path, ...] = settings.kme_revocation_lists
    if settings.kme_pki is not None:
        if any((applications, peers, *lists)):
            raise SettingsError(
                f"setting kme_pki {settings.kme_pki} and authorities besides; allowed: one of both"
            )
        laboratory = Laboratory(settings.kme_pki)
        applications = laboratory.authority_file("application")
        peers = laboratory.authority_file("peer")
        lists = (laboratory.list_file("application"), laboratory.list_file("peer"))
    return TlsFiles(
        certificates=settings.kme_certificates,
        applications=applications,
        peers=peers,
        revocation_lists=lists,
    )


def run_ports(ports: list[Port]) -> None:
    """Serve on sockets that listen already, until every server is told to stop."""

    async def serve() -> None:
        await asyncio.gather(*(one.server.serve(sockets=_socket_of(one)) for one in ports))

    asyncio.run(serve())


def _socket_of(port: Port) -> list[socket.socket]:
    assert port.listener is not None
    return [port.listener]
