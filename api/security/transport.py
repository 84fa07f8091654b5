"""The protocol class that hands a client's certificate from the TLS layer to the application."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

from cryptography import x509

from api.security.certificates import Authorities

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TLS_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class IdentityContext(ssl.SSLContext):
    """A server's TLS context that knows its own certificate and whom it trusts for what."""

    certificate_pem: str
    authorities: Authorities


def tls_extension(connection: ssl.SSLObject) -> dict[str, Any]:
    """Return the ASGI TLS extension of a connection, and `plane` besides.

    The names are those of the ASGI TLS extension 0.2; the cipher suite is left None, which it
    allows. `plane` is None, and `client_cert_error` says why, if nobody vouches for the client.
    """
    context = connection.context
    assert isinstance(context, IdentityContext)
    der = connection.getpeercert(binary_form=True)
    found: dict[str, Any] = {
        "server_cert": context.certificate_pem,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": TLS_VERSIONS.get(connection.version() or ""),
        "cipher_suite": None,
        "plane": None,
    }
    if der is None:
        return found
    found["client_cert_chain"] = [ssl.DER_cert_to_PEM_cert(der)]
    try:
        certificate = x509.load_der_x509_certificate(der)
        found["client_cert_name"] = certificate.subject.rfc4514_string()
        found["plane"] = context.authorities.plane_of(certificate)
    except ValueError as error:
        found["client_cert_error"] = f"the certificate cannot be read: {error}"
        return found
    if found["plane"] is None:
        found["client_cert_error"] = "the certificate was signed by no authority listed here"
    return found


class _Identified(asyncio.Protocol):
    """What every HTTP protocol class of uvicorn gets in front of it."""

    app: ASGIApp

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the certificate once a connection; each request of it carries what was read."""
        super().connection_made(transport)
        tls = tls_extension(transport.get_extra_info("ssl_object"))
        inner = self.app

        async def identified(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**scope.get("extensions", {}), "tls": tls}
            await inner({**scope, "extensions": extensions}, receive, send)

        self.app = identified


def http_protocol_class() -> type[asyncio.Protocol]:
    """Return uvicorn's own HTTP protocol class (httptools if installed, else h11), identified."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    return type("IdentifiedProtocol", (_Identified, AutoHTTPProtocol), {})
