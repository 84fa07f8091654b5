"""Every key of a run is searched in all that the run left: logs, answers, exports, files."""

from __future__ import annotations

import socket
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path

from api.cli import run
from scheduler.ledger import open_view
from tests.api.conftest import ROOT, clean_environment
from tests.api.kme.conftest import ring_context
from tests.api.kme.customer import Door

MASTER, SLAVE = "/api/v1/keys/bank-w/enc_keys", "/api/v1/keys/bank-e/dec_keys"


def _forms(key: bytes) -> list[bytes]:
    """How a key could show: as it is, in hexadecimal, in base64 of any alignment, in a repr."""
    found = [key, key.hex().encode(), key.hex().upper().encode(), repr(key)[2:-1].encode()]
    for lead in range(3):
        # The letters that stand for bits of the key alone, whatever is around it.
        first, last = -(-8 * lead // 6), 8 * (lead + len(key)) // 6
        found.append(b64encode(bytes(lead) + key + bytes(3))[first:last])
    return found


def _keys_of_a_run(port: int) -> tuple[list[bytes], list[str]]:
    """Draw, collect, and go wrong in every way; return the keys and what errors said."""
    master, slave = Door(port, "bank-e"), Door(port, "bank-w")
    keys: list[bytes] = []
    said: list[str] = []
    for size, number in ((256, 5), (512, 2), (8192, 1)):
        drawn = master.post(MASTER, {"number": number, "size": size})
        assert drawn is not None
        assert drawn[0] == 200
        found = {one["key_ID"]: one["key"] for one in drawn[1]["keys"]}
        keys += [b64decode(key) for key in found.values()]
        asked = {"key_IDs": [{"key_ID": one} for one in found]}
        for body in (asked, asked, {"key_IDs": [{"key_ID": one} for one in found.values()]}):
            taken = slave.post(SLAVE, body)
            assert taken is not None
            if taken[0] != 200:
                said.append(str(taken[1]))
        for odd in ({"number": next(iter(found.values()))}, {"size": 7}, {"number": 10**9}):
            refused = master.post(MASTER, odd)
            assert refused is not None
            assert refused[0] == 400
            said.append(str(refused[1]))
    for door in (master, slave):
        door.close()
    return keys, said


def test_a_key_would_be_found_in_any_form() -> None:
    key = bytes(range(32))
    shown = [key.hex().encode(), key.hex().upper().encode(), str(key).encode()]
    shown += [b64encode(b"x" * lead + key + b"yz") for lead in range(7)]
    for text in (key, *shown):
        assert any(form in b"before " + text + b" behind" for form in _forms(key))


def test_no_key_is_in_anything_that_a_run_leaves(tmp_path: Path, capfdbinary: object) -> None:
    with ring_context(tmp_path):
        pass
    url, scenario = f"sqlite:///{tmp_path / 'ledger.db'}", str(tmp_path / "ring.toml")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, log = listener.fileno(), (tmp_path / "server.log").open("wb")
        words = [sys.executable, "-m", "tests.api.kme.server", str(tmp_path), str(fd)]
        with (
            log,
            subprocess.Popen(
                words, cwd=ROOT, pass_fds=[fd], stdout=log, stderr=log, env=clean_environment()
            ) as server,
        ):
            keys, said = _keys_of_a_run(listener.getsockname()[1])
            server.terminate()
    with open_view(url) as view:
        said += list(view.export_lines())
    (tmp_path / "said.txt").write_text("\n".join(said), encoding="utf-8")
    for command in (("ledger", "verify"), ("keys", "uncertain", "--json"), ("sae", "list")):
        assert run([*command, "--database", url, "--scenario", scenario]) == 0
    out, err = capfdbinary.readouterr()  # type: ignore[attr-defined]
    (tmp_path / "printed.txt").write_bytes(out + err)

    assert len(set(keys)) == 8
    for file in filter(Path.is_file, tmp_path.rglob("*")):
        held = file.read_bytes()
        for key in keys:
            assert not any(form in held for form in _forms(key)), file.name
