"""The server that hands a client's certificate to the application and waits for nobody for ever."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from cryptography import x509

from api.security.tls import IdentityContext
from scheduler.clock import SystemClock

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.security.tls import ServerTls
    from api.security.trust import Judgement, Trust

TLS_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
STARTUP_FAILED = 3  # uvicorn's exit code for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a client may take, and how many may be there at once."""

    handshake_s: float = 10.0  #: from the connection to the end of the TLS handshake
    request_s: float = 10.0  #: from the first byte of a request, or the connection, to its last
    response_s: float = 30.0  #: for which a client may leave its answer unread
    idle_s: float = 75.0  #: between requests: a handshake costs far more than a request
    header_bytes: int = 65_536  #: of a request; httptools would take any number
    connections: int = 512  #: at once; above, 503


class ClientCertificate:
    """The certificate that a connection was made with, and whether it still counts."""

    def __init__(self, connection: ssl.SSLObject) -> None:
        context = connection.context
        assert isinstance(context, IdentityContext)
        self._server = context.server
        self._certificate: x509.Certificate | None = None
        self._judged: tuple[Trust, Judgement] | None = None
        self._fixed: dict[str, Any] = {
            "server_cert": context.certificate_pem,
            "client_cert_chain": [],
            "client_cert_name": None,
            "client_cert_error": "no client certificate",
            "tls_version": TLS_VERSIONS.get(connection.version() or ""),
            "cipher_suite": None,
            "plane": None,
        }
        der = connection.getpeercert(binary_form=True)
        if der is None:
            return
        self._fixed["client_cert_chain"] = [ssl.DER_cert_to_PEM_cert(der)]
        try:
            self._certificate = x509.load_der_x509_certificate(der)
            self._fixed["client_cert_name"] = self._certificate.subject.rfc4514_string()
        except ValueError as error:
            self._fixed["client_cert_error"] = f"the certificate cannot be read: {error}"

    def extension(self) -> dict[str, Any]:
        """Return the ASGI TLS extension (0.2) for a request made now, and `plane` besides.

        The cipher suite is left None, which it allows. `plane` is None, and `client_cert_error`
        says why, for a certificate that does not count (any more).
        """
        if self._certificate is None:
            return self._fixed
        why, plane = self._judgement(self._certificate).at(SystemClock().now())
        return {**self._fixed, "client_cert_error": why, "plane": plane}

    def _judgement(self, certificate: x509.Certificate) -> Judgement:
        """What the newest files say; signatures are checked once for each reading of them."""
        trust = self._server.trust
        if self._judged is None or self._judged[0] is not trust:
            self._judged = trust, trust.judge(certificate)
        return self._judged[1]


class _Patient(asyncio.Protocol):
    """What every HTTP protocol class of uvicorn gets in front of it."""

    limits: Limits
    loop: asyncio.AbstractEventLoop
    app: ASGIApp
    cycle: Any  #: uvicorn's request and answer under way, or the last one
    _connection: asyncio.Transport
    _header_bytes: int = 0
    _request_timer: asyncio.TimerHandle | None = None
    _response_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the certificate once a connection; each request carries what was read."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._connection = transport
        self._expect_request()
        connection = transport.get_extra_info("ssl_object")
        if connection is None or connection.context.verify_mode is ssl.CERT_NONE:
            return
        client = ClientCertificate(connection)
        inner = self.app

        async def identified(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**scope.get("extensions", {}), "tls": client.extension()}
            await inner({**scope, "extensions": extensions}, receive, send)

        self.app = identified

    def _expect_request(self) -> None:
        if self._request_timer is None:
            self._request_timer = self._abort_after(self.limits.request_s)

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self._connection.abort)

    def data_received(self, data: bytes) -> None:
        """Give a request so long, from its first byte to its last, and its headers so much."""
        self._expect_request()
        super().data_received(data)
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            if cycle is not None and cycle.more_body:
                return  # answered before its body came; the rest is left aside
            # One that is answered is the request before: this one's headers are under way.
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.header_bytes:
                self._connection.abort()
            return
        self._header_bytes = 0
        if not cycle.more_body:
            self._request_timer = _without(self._request_timer)

    def pause_writing(self) -> None:
        """Give a client so long to read what waits for it."""
        super().pause_writing()
        self._response_timer = self._abort_after(self.limits.response_s)

    def resume_writing(self) -> None:
        """It reads again."""
        self._response_timer = _without(self._response_timer)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._request_timer = _without(self._request_timer)
        self._response_timer = _without(self._response_timer)
        super().connection_lost(exc)


def _without(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Cancel a timer; return what stands in its place."""
    if timer is not None:
        timer.cancel()
    return None


def http_protocol_class(limits: Limits) -> type[asyncio.Protocol]:
    """Return uvicorn's own HTTP protocol class (httptools if installed, else h11) with ours."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    return type("SkytrunkProtocol", (_Patient, AutoHTTPProtocol), {"limits": limits})


class Server(uvicorn.Server):
    """uvicorn's server on sockets that listen already, with TLS of ours or without.

    Signals are left to whoever runs it: two of these may share a process.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tls: ServerTls | None = None,
        limits: Limits,
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """`stopping` is called before the last answers are waited for: streams end by it."""
        super().__init__(
            uvicorn.Config(
                app,
                http=http_protocol_class(limits),
                ws="none",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=round(limits.idle_s),
                timeout_graceful_shutdown=round(limits.response_s),
                limit_concurrency=limits.connections,
            )
        )
        self._tls = tls
        self._limits = limits
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. uvicorn's own passes no limit on the handshake."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILED)
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=listener,
                ssl=self._tls.context() if self._tls else None,
                ssl_handshake_timeout=self._limits.handshake_s if self._tls else None,
            )
            for listener in sockets or ()
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, with whatever would never end ended first."""
        self._stopping()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(
            config=self.config,  # type: ignore[call-arg]
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
