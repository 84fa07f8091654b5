"""A port opens what a bank sealed, with the same keys from its own key manager.

python examples/port.py --kme https://kme-b.example:8443 --cert port.pem --key port.key \\
  --ca ca.pem --peer bank < envelope.json
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode

import kme_client
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

TAG_BYTES = 16


def open_gcm(keys: kme_client.Keys, sealed: bytes) -> bytes:
    """Open what AES-256-GCM sealed. Raises InvalidTag if it was changed."""
    ((key_id, key),) = keys.items()
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], key_id.encode())


def open_pad(keys: kme_client.Keys, sealed: bytes) -> bytes:
    """Check the tag, then take the pad off. Raises InvalidSignature if it was changed."""
    *pads, tag_key = keys.values()
    padded, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    Poly1305.verify_tag(tag_key, padded, tag)
    return bytes(one ^ other for one, other in zip(padded, b"".join(pads), strict=False))


def main() -> None:
    """Read an envelope, write its message."""
    given = kme_client.options("Open the envelope that comes in on stdin.").parse_args()
    envelope = json.load(sys.stdin)
    with kme_client.connect(given) as client:
        keys = kme_client.collect(client, given.peer, envelope["key_ids"])
    opened = open_gcm if envelope["cipher"] == "aes-gcm" else open_pad
    sys.stdout.buffer.write(opened(keys, b64decode(envelope["sealed"])))


if __name__ == "__main__":
    main()
