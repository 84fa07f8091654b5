"""Calls to the key managers of other networks."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from scheduler.settings import KmePeer

TIMEOUT_S = 20.0


def post_to(peer: KmePeer, path: str, body: Any) -> int | None:
    """Send JSON to a path of a key manager; return the status, None if no answer came."""
    try:
        verify: ssl.SSLContext | bool = True
        if peer.certificate is not None:
            verify = ssl.create_default_context(cafile=peer.ca)
            verify.load_cert_chain(peer.certificate)
        with httpx.Client(verify=verify, timeout=TIMEOUT_S, trust_env=False) as client:
            return client.post(peer.url.rstrip("/") + path, json=body).status_code
    except (httpx.HTTPError, OSError):
        return None
