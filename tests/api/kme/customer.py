"""A master and its slave in one process: draw, collect, compare; nothing but the standard library.

Run as `python customer.py PORT DELIVERIES NUMBER`. Says one line for each delivery: what became of
it, and the keys' ids and digests, for whoever counts them.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys
import threading
from typing import Any

TRIES_MAX = 200
PAUSE = threading.Event()


class Door:
    """One connection that is opened again when it breaks."""

    def __init__(self, port: int, name: str) -> None:
        self.port, self.name = port, name
        self._line: http.client.HTTPConnection | None = None

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Status and body of one request; None if the connection broke."""
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"x-test-caller": self.name, "content-type": "application/json"}
        try:
            self._line.request("POST", path, json.dumps(body), headers)
            answer = self._line.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None

    def close(self) -> None:
        """Let go of the connection."""
        if self._line is not None:
            self._line.close()
        self._line = None


def deliver(master: Door, slave: Door, number: int) -> str:
    """One delivery; the first word of its line is ok, lost, void, short or bad.

    Of one that is void the keys' ids follow.
    """
    drawn = master.post("/api/v1/keys/bank-w/enc_keys", {"number": number})
    if drawn is None:
        return "lost"
    status, body = drawn
    if status != 200:
        return "short" if status == 503 else f"bad {status}"
    keys = {one["key_ID"]: one["key"] for one in body["keys"]}
    asked = {"key_IDs": [{"key_ID": one} for one in keys]}
    void, broken = " ".join(("void", *keys)), False
    for _ in range(TRIES_MAX):
        taken = slave.post("/api/v1/keys/bank-e/dec_keys", asked)
        if taken is None:
            broken = True
        elif taken[0] == 200:
            got = {one["key_ID"]: one["key"] for one in taken[1]["keys"]}
            if got != keys:
                return "bad mismatch"
            digests = (hashlib.sha256(key.encode()).hexdigest()[:32] for key in keys.values())
            return "ok " + " ".join((*keys, *digests))
        elif taken[0] == 400 and not broken:
            return void  # nobody saw the master's answer leave in time
        elif taken[0] not in (400, 503):
            return f"bad {taken[0]}"
        # An answer that broke off is in doubt after a while, and then given again.
        PAUSE.wait(0.05)
    return void


def main(port: int, deliveries: int, number: int) -> None:
    """Do so many deliveries of so many keys."""
    master, slave = Door(port, "bank-e"), Door(port, "bank-w")
    for _ in range(deliveries):
        print(deliver(master, slave, number), flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
