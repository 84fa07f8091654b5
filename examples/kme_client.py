"""ETSI GS QKD 014 in thirty lines: what an application needs to draw and to collect keys."""

from __future__ import annotations

import argparse
import ssl
from base64 import b64decode

import httpx

Keys = dict[str, bytes]
"""Key by id, in the order in which the key manager gave them."""


def options(description: str) -> argparse.ArgumentParser:
    """Return the options of both programs."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--kme", required=True, help="address of our key manager, https://...")
    found.add_argument("--cert", help="our certificate (PEM)")
    found.add_argument("--key", help="its private key (PEM)")
    found.add_argument("--ca", help="certificate of the authority that signed the key manager's")
    found.add_argument("--peer", required=True, help="SAE id of the other side")
    found.add_argument("--cipher", choices=["aes-gcm", "one-time-pad"], default="aes-gcm")
    return found


def connect(given: argparse.Namespace) -> httpx.Client:
    """Return a client with our certificate; keep it open, a handshake takes longer than a key."""
    if not given.cert:
        return httpx.Client(base_url=given.kme)
    context = ssl.create_default_context(cafile=given.ca)
    context.load_cert_chain(given.cert, given.key)
    return httpx.Client(base_url=given.kme, verify=context)


def draw(client: httpx.Client, peer: str, *, number: int, size_bits: int) -> Keys:
    """Draw fresh keys that `peer` can collect."""
    body = {"number": number, "size": size_bits}
    return _keys(client.post(f"/api/v1/keys/{peer}/enc_keys", json=body))


def collect(client: httpx.Client, peer: str, key_ids: list[str]) -> Keys:
    """Collect the keys that `peer` drew for us."""
    body = {"key_IDs": [{"key_ID": one} for one in key_ids]}
    return _keys(client.post(f"/api/v1/keys/{peer}/dec_keys", json=body))


def _keys(answer: httpx.Response) -> Keys:
    if answer.status_code != 200:
        raise SystemExit(f"key manager: {answer.status_code} {answer.json()['message']}")
    return {one["key_ID"]: b64decode(one["key"]) for one in answer.json()["keys"]}
