"""Key that a link's own devices made, pulled over ETSI GS QKD 014 from both its key managers."""

from __future__ import annotations

import hmac
import ssl
from base64 import b64decode
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from scheduler.errors import FeedError, InputError

ANSWER_BYTES_MAX = 4_000_000
TIMEOUT_S = 20.0
NUMBER_MAX = 1024
SIZE_BITS_MAX = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEnd:
    """A key manager at one end of a link, and who we are there."""

    url: str
    sae_id: str
    cert: Path | None = None  #: ours, PEM; without one no TLS identity is shown
    key: Path | None = None
    ca: Path | None = None  #: of the authority that signed the key manager's certificate

    def client(self) -> httpx.Client:
        """Return a client with our certificate. Raises FeedError for files that do not load."""
        if self.cert is None:
            return httpx.Client(base_url=self.url, timeout=TIMEOUT_S, trust_env=False)
        try:
            context = ssl.create_default_context(cafile=self.ca)
            context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise FeedError(f"certificates for {self.url}: {type(error).__name__}") from None
        return httpx.Client(base_url=self.url, verify=context, timeout=TIMEOUT_S, trust_env=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledKey:
    """Keys of a device, one after the other, as both ends gave them; no bytes in a repr."""

    key_ids: tuple[UUID, ...]
    length_bits: int
    material_a: bytes = field(repr=False)
    material_b: bytes = field(repr=False)


def pull(end_a: DeviceEnd, end_b: DeviceEnd, *, number: int, size_bits: int) -> PulledKey:
    """Draw keys at one end of a link and collect them at the other.

    The device gives each key once: what fails half-way is nobody's, here as there. Raises
    InputError for numbers beyond the limits, FeedError if a key manager does not answer as the
    standard says, or the two ends hold unequal key; no message holds what it sent.
    """
    if not 1 <= number <= NUMBER_MAX or not 8 <= size_bits <= SIZE_BITS_MAX or size_bits % 8:
        raise InputError(
            f"{number} keys of {size_bits} bits; allowed: 1 to {NUMBER_MAX} of 8 to"
            f" {SIZE_BITS_MAX} bits, whole bytes"
        )
    with ExitStack() as stack:
        at_a, at_b = (stack.enter_context(end.client()) for end in (end_a, end_b))
        body: dict[str, Any] = {"number": number, "size": size_bits}
        drawn = _keys(at_a, f"/api/v1/keys/{end_b.sae_id}/enc_keys", body)
        names = [{"key_ID": str(one)} for one in drawn]
        taken = _keys(at_b, f"/api/v1/keys/{end_a.sae_id}/dec_keys", {"key_IDs": names})
    if len(drawn) != number or {len(key) for key in drawn.values()} != {size_bits // 8}:
        raise FeedError(f"{end_a.url} gave other keys than {number} of {size_bits} bits")
    ends = b"".join(drawn.values()), b"".join(taken.get(one, b"") for one in drawn)
    if not hmac.compare_digest(*ends):
        raise FeedError(f"{end_a.url} and {end_b.url} hold unequal key; none of it is taken")
    return PulledKey(
        key_ids=tuple(drawn),
        length_bits=number * size_bits,
        material_a=ends[0],
        material_b=ends[1],
    )


def stored(end: DeviceEnd, other: DeviceEnd) -> tuple[int, int]:
    """How many keys can be drawn from a device at once now, and of how many bits (014, 6.1).

    Raises FeedError as `pull`.
    """
    with end.client() as client:
        found = _answer(client, "GET", f"/api/v1/keys/{other.sae_id}/status")
    try:
        count = min(int(found["stored_key_count"]), int(found["max_key_per_request"]))
        return min(count, NUMBER_MAX), int(found["key_size"])
    except (KeyError, TypeError, ValueError):
        raise FeedError(f"key manager {_where(client)}: no status") from None


def _where(client: httpx.Client) -> str:
    return f"{client.base_url.host}:{client.base_url.port or ''}"


def _answer(
    client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    """Ask once, and read what was answered as JSON."""
    where = _where(client)
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise FeedError(f"key manager {where}: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise FeedError(f"key manager {where}: status {answer.status_code}")
    if len(answer.content) > ANSWER_BYTES_MAX:
        raise FeedError(f"key manager {where}: more than {ANSWER_BYTES_MAX} bytes")
    try:
        return answer.json()
    except ValueError:
        # Nothing of it goes into a message, and no cause with it: it may hold key.
        raise FeedError(f"key manager {where}: no JSON") from None


def _keys(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[UUID, bytes]:
    """Ask once and read a key container."""
    where = _where(client)
    container = _answer(client, "POST", path, body)
    try:
        entries: Sequence[dict[str, str]] = container["keys"]
        found = {UUID(one["key_ID"]): b64decode(one["key"], validate=True) for one in entries}
    except (ValueError, KeyError, TypeError, AttributeError):
        # Nothing of it goes into a message, and no cause with it: it may hold key.
        raise FeedError(f"key manager {where}: no key container") from None
    if len(found) != len(entries):
        raise FeedError(f"key manager {where}: a key id twice")
    return found
