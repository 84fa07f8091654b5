"""Alerts on their way to somebody else's address, signed."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import httpx

from scheduler.errors import FeedError, SettingsError
from scheduler.sources.feed import without_secrets

TIMEOUT_S = 5.0
SECRET_BYTES_MIN = 16


def read_secret(path: Path | None) -> bytes:
    """The secret that alerts are signed with. Raises SettingsError without a sound one."""
    if path is None:
        raise SettingsError("setting alert_url without alert_secret_file; allowed: both or neither")
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"setting alert_secret_file {path}: {error.strerror}") from None
    if len(secret) < SECRET_BYTES_MIN:
        raise SettingsError(
            f"setting alert_secret_file {path}: {len(secret)} bytes; allowed:"
            f" {SECRET_BYTES_MIN} and more"
        )
    return secret


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body, in hexadecimal digits (RFC 2104)."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def post_alert(url: str, secret: bytes, *, event_id: str, timestamp: str, body: bytes) -> None:
    """Send one alert once. Raises FeedError unless the answer is 2xx; a redirect is none."""
    headers = {
        "Content-Type": "application/json",
        "Skytrunk-Event": event_id,
        "Skytrunk-Timestamp": timestamp,
        "Skytrunk-Signature": f"v1={signature(secret, timestamp, body)}",
    }
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            status = client.post(url, content=body, headers=headers).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FeedError(f"{without_secrets(url)}: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise FeedError(f"{without_secrets(url)} answered {status}")
