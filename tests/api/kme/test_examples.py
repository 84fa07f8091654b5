"""The bank and the port of `examples/`: two programs, one key, one message; nothing shows key."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scheduler.services.context import Context
from tests.api.conftest import ROOT, clean_environment
from tests.api.kme.inside import key_manager


@pytest.fixture
def managers(context: Context) -> Iterator[dict[str, str]]:
    """The key managers of the bank and of the port."""
    with ExitStack() as stack:
        names = {"bank": "bank-e", "port": "port-s"}
        yield {one: stack.enter_context(key_manager(context, name)) for one, name in names.items()}


def _program(name: str, kme: str, peer: str, sent: bytes, *more: str) -> bytes:
    words = [sys.executable, str(ROOT / "examples" / f"{name}.py"), "--kme", kme, "--peer", peer]
    done = subprocess.run(
        [*words, *more], input=sent, capture_output=True, env=clean_environment(), timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("cipher", ["aes-gcm", "one-time-pad"])
@pytest.mark.parametrize("length", [1, 15, 3000])
def test_a_port_reads_what_a_bank_sealed(
    managers: dict[str, str], cipher: str, length: int
) -> None:
    message = (b"pay the harbour \xe2\x82\xac 100. " * 200)[:length]

    envelope = _program("bank", managers["bank"], "port-s", message, "--cipher", cipher)
    opened = _program("port", managers["port"], "bank-e", envelope)

    assert opened == message
    told = json.loads(envelope)
    assert told["cipher"] == cipher
    assert len(told["key_ids"]) == (1 if cipher == "aes-gcm" else 2 + (length > 1024) * 2)
    assert all(re.fullmatch(r"[0-9a-f-]{36}", one) for one in told["key_ids"])


def test_an_envelope_opens_once(managers: dict[str, str]) -> None:
    envelope = _program("bank", managers["bank"], "port-s", b"once")
    assert _program("port", managers["port"], "bank-e", envelope) == b"once"
    with pytest.raises(AssertionError, match="400 one or more keys specified are not found"):
        _program("port", managers["port"], "bank-e", envelope)
