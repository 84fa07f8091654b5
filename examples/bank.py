"""A bank seals a message with keys that it draws from its key manager.

    echo "pay the harbour" | python examples/bank.py --kme https://kme-a.example:8443 \\
      --cert bank.pem --key bank.key --ca ca.pem --peer port > envelope.json

With AES-256-GCM one key seals it. With the one-time pad every bit of it costs a bit of key, and
one more key authenticates it (Poly1305, once): secure whatever a computer will be able to do.
The envelope holds key ids, never a key.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64encode

import httpx
import kme_client
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

PAD_BITS_MAX = 8192  # the largest key of one request; longer messages take several


def seal_gcm(client: httpx.Client, peer: str, message: bytes) -> dict[str, object]:
    """Seal with AES-256-GCM under a fresh key."""
    ((key_id, key),) = kme_client.draw(client, peer, number=1, size_bits=256).items()
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(key).encrypt(nonce, message, key_id.encode())
    return {"cipher": "aes-gcm", "key_ids": [key_id], "sealed": b64encode(sealed).decode()}


def seal_pad(client: httpx.Client, peer: str, message: bytes) -> dict[str, object]:
    """Add as much key as there is message, then a tag under a key of its own."""
    number = -(-8 * len(message) // PAD_BITS_MAX)
    size_bits = PAD_BITS_MAX if number > 1 else max(64, 8 * len(message))
    pads = kme_client.draw(client, peer, number=number, size_bits=size_bits)
    ((tag_id, tag_key),) = kme_client.draw(client, peer, number=1, size_bits=256).items()
    pad = b"".join(pads.values())
    padded = bytes(one ^ other for one, other in zip(message, pad, strict=False))
    sealed = padded + Poly1305.generate_tag(tag_key, padded)
    key_ids = [*pads, tag_id]
    return {"cipher": "one-time-pad", "key_ids": key_ids, "sealed": b64encode(sealed).decode()}


def main() -> None:
    """Read a message, write its envelope."""
    given = kme_client.options("Seal what comes in on stdin.").parse_args()
    message = sys.stdin.buffer.read()
    if not message:
        raise SystemExit("nothing to seal on stdin")
    seal = seal_gcm if given.cipher == "aes-gcm" else seal_pad
    with kme_client.connect(given) as client:
        print(json.dumps(seal(client, given.peer, message)))


if __name__ == "__main__":
    main()
