"""Merges, traces, checkpoints and proofs from the command line and over HTTP."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.schemas.keys import Trace
from api.schemas.ledger import Checkpoint
from tests.api.conftest import Command, Replayed

NEXT_TICK = "2016-12-21T06:00:00Z"


@pytest.fixture
def copied(replayed: Replayed, tmp_path: Path) -> str:
    """A copy of the replayed ledger that a test may write to."""
    replayed.copy_to(tmp_path / "copy.db")
    return f"sqlite:///{tmp_path / 'copy.db'}"


def _json(skytrunk: Command, database: str, *arguments: str) -> dict[str, Any]:
    done = skytrunk("--database", database, *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _block(skytrunk: Command, database: str) -> str:
    listed = _json(skytrunk, database, "keys", "list", "--pair", "nanshan--shanghai")
    return str(listed["blocks"][-1]["block_id"])


def test_a_plan_gives_reasons_and_writes_nothing(skytrunk: Command, copied: str) -> None:
    before = skytrunk("--database", copied, "ledger", "export").stdout

    plan = _json(skytrunk, copied, "merge", "plan", "--at", NEXT_TICK)

    assert skytrunk("--database", copied, "ledger", "export").stdout == before
    assert plan["at"] == "2016-12-21T06:00:00.000Z"
    assert 0.0 < plan["jain_index"] <= 1.0
    assert len(plan["demands"]) == 3
    assert all(one["reason"] for one in plan["demands"])
    table = skytrunk("--database", copied, "merge", "plan", "--at", NEXT_TICK).stdout
    assert f"{plan['jain_index']:.4f}" in table
    for one in plan["demands"]:
        assert one["reason"] in table


def test_a_run_merges_once_under_its_name(skytrunk: Command, copied: str) -> None:
    at = ("--at", "2016-12-22T06:00:00Z", "--request-id", "by-hand")
    # All announced key is spent; Nanshan's second night waits for the satellite's next contact.
    for one in _json(skytrunk, copied, "ledger", "waiting")["waiting"]:
        _json(skytrunk, copied, "ledger", "accept", one["block"], "--reason", "brought by hand")
    plan = _json(skytrunk, copied, "merge", "plan", "--at", "2016-12-22T06:00:00Z")
    first = _json(skytrunk, copied, "merge", "run", *at)
    after = skytrunk("--database", copied, "ledger", "export").stdout

    assert first["reasons"] == {one["demand"]: one["reason"] for one in plan["demands"]}
    assert first["steps"]
    assert _json(skytrunk, copied, "merge", "run", *at) == first
    assert _json(skytrunk, copied, "merge", "run", "--request-id", "by-hand") == first
    assert skytrunk("--database", copied, "ledger", "export").stdout == after
    last = _json(skytrunk, copied, "merge", "history", "--limit", "1")["merges"][0]
    assert (last["request"], last["at"]) == ("merge/by-hand", "2016-12-22T06:00:00.000Z")
    assert last["bits"] == sum(step["bits"] for step in first["steps"])
    shown = skytrunk("--database", copied, "merge", "run", *at).stdout
    assert all(step["block"] in shown for step in first["steps"])
    assert skytrunk("--database", copied, "ledger", "verify").returncode == 0


def test_history_is_the_same_by_every_interface(
    skytrunk: Command, replayed: Replayed, http: httpx.Client
) -> None:
    document = _json(skytrunk, replayed.database, "merge", "history", "--limit", "5")

    assert http.get("/merges", params={"limit": 5}).json() == document
    assert len(document["merges"]) == 5
    table = skytrunk("--database", replayed.database, "merge", "history", "--limit", "5").stdout
    for tick in document["merges"]:
        assert tick["at"] in table
        assert f"{tick['bits']:,}" in table
    some = _json(
        skytrunk, replayed.database, "merge", "history", "--from", "2016-12-20", "--to",
        "2016-12-20T12:00:00Z",
    )  # fmt: skip
    assert [tick["at"] for tick in some["merges"]] == [
        "2016-12-20T00:00:00.000Z", "2016-12-20T06:00:00.000Z",
    ]  # fmt: skip


def test_a_trace_is_the_same_by_every_interface(
    skytrunk: Command, replayed: Replayed, http: httpx.Client
) -> None:
    block = _block(skytrunk, replayed.database)
    document = _json(skytrunk, replayed.database, "keys", "trace", block)

    answer = http.get(f"/keys/{block}/trace")
    assert answer.status_code == 200
    assert answer.json() == document
    assert set(document) == set(Trace.model_fields)
    # A relayed key of the plain campaign is known to every relay, Micius among them.
    assert document["threshold"] == 1
    assert "micius" in document["single_points"]
    (path,) = document["paths"]
    assert (path["nodes"][0], path["nodes"][-1]) in {
        ("nanshan", "shanghai"), ("shanghai", "nanshan"),
    }  # fmt: skip
    text = skytrunk("--database", replayed.database, "keys", "trace", block).stdout
    assert document["known_to"] in text
    for source in document["sources"]:
        assert source["natural_key"] in text
    for said in path["announcements"]:
        assert f"{said['relay']} announced {said['announcement_id']}" in text


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("keys", "trace", "nonsense"), "allowed: a UUID", 2),
        (("keys", "trace", "00000000-0000-4000-8000-000000000000"), "no block and no key", 2),
        (("keys", "list", "--pair", "nanshan"), "allowed: two nodes", 2),
        (("merge", "history", "--limit", "0"), "allowed: 1 to", 2),
        (("merge", "plan", "--at", "noon"), "no instant", 2),
        (("ledger", "prove", "command"), "name a kind and a subject", 2),
        (("ledger", "prove", "command", "987654321"), "no leaf about command 987654321", 1),
        (("ledger", "prove", "block", "9"), "allowed: its id", 2),
        (("ledger", "verify", "--proof", "p.json"), "--proof takes --checkpoint", 2),
        (("ledger", "verify", "--public-key", "k"), "--public-key without", 2),
        (("ledger", "verify", "--export", "no.jsonl"), "No such file", 2),
        (("ledger", "verify", "--checkpoint", "no.json"), "No such file", 2),
        (("ledger", "verify", "--older", "o.json"), "--older without --proof", 2),
        (("ledger", "verify", "--workers", "0"), "0 workers; allowed: 1 to 64", 2),
        (("ledger", "verify", "--export", "e", "--workers", "2"), "is for a database", 2),
        (("keys", "import", "no-folder"), "holds 0 manifests", 2),
    ],
)
def test_bad_questions_are_refused_in_one_line(
    skytrunk: Command, replayed: Replayed, arguments: tuple[str, ...], says: str, code: int
) -> None:
    done = skytrunk("--database", replayed.database, *arguments)

    assert done.returncode == code
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_without_a_ledger_there_is_nothing_to_show_or_sign(
    skytrunk: Command, tmp_path: Path
) -> None:
    for arguments in (
        ("merge", "plan"), ("merge", "run"), ("merge", "history"), ("ledger", "checkpoint"),
        ("keys", "list", "--pair", "nanshan--shanghai"), ("ledger", "prove", "command", "1"),
        ("ledger", "show"), ("plan", "bookings"), ("plan", "list"), ("plan", "show"),
        ("outage", "list"), ("plan", "explain", "micius/delingha/2016-12-19T16:53:00Z"),
    ):  # fmt: skip
        done = skytrunk(*arguments)
        assert done.returncode == 2, arguments
        assert "there is no ledger" in done.stderr
    assert not list(tmp_path.glob("*.db*"))


def test_over_http_what_is_not_there_is_a_problem(http: httpx.Client) -> None:
    unknown = http.get("/keys/00000000-0000-4000-8000-000000000000/trace")
    assert unknown.status_code == 404
    assert http.get("/keys/nonsense/trace").status_code == 422
    assert http.get("/merges", params={"limit": 0}).status_code == 422
    assert http.get("/merges", params={"colour": "red"}).status_code == 422
    assert http.get("/ledger/checkpoint").status_code == 404


def test_an_auditor_needs_the_files_alone(skytrunk: Command, copied: str, tmp_path: Path) -> None:
    ledger = ("--database", copied, "ledger")
    for arguments in (
        ("checkpoint", "--out", "old.json", "--public-key", "key.hex"),
        ("export", "--out", "old.jsonl"),
    ):
        assert skytrunk(*ledger, *arguments).returncode == 0
    done = skytrunk("--database", copied, "merge", "run", "--at", "2016-12-22T06:00:00Z")
    assert done.returncode == 0
    block = _block(skytrunk, copied)
    for arguments in (
        ("checkpoint", "--out", "new.json"),
        ("export", "--out", "new.jsonl"),
        ("prove", "block", block, "--checkpoint", "new.json", "--out", "block.json"),
        ("prove", "--since", "old.json", "--checkpoint", "new.json", "--out", "growth.json"),
    ):
        assert skytrunk(*ledger, *arguments).returncode == 0
    assert skytrunk(*ledger, "verify", "--checkpoint", "old.json").returncode == 0
    for file in (tmp_path / "copy.db", tmp_path / "copy.db.kek"):
        file.unlink()

    offline = ("ledger", "verify", "--public-key", "key.hex")
    for arguments in (
        ("--export", "old.jsonl", "--checkpoint", "old.json"),
        ("--export", "new.jsonl", "--checkpoint", "old.json"),
        ("--export", "new.jsonl", "--checkpoint", "new.json"),
        ("--proof", "block.json", "--checkpoint", "new.json"),
        ("--proof", "growth.json", "--checkpoint", "new.json", "--older", "old.json"),
    ):
        done = skytrunk(*offline, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    assert "continues" in done.stdout
    assert not (tmp_path / "copy.db").exists()


def test_what_was_changed_is_found_offline(skytrunk: Command, copied: str, tmp_path: Path) -> None:
    ledger = ("--database", copied, "ledger")
    skytrunk(*ledger, "checkpoint", "--out", "signed.json", "--public-key", "key.hex")
    skytrunk(*ledger, "export", "--out", "whole.jsonl")
    stands = ("--checkpoint", "signed.json", "--out", "proof.json")
    assert skytrunk(*ledger, "prove", "command", "3", *stands).returncode == 0
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    victim = next(i for i, line in enumerate(lines) if '"table":"ledger_entry"' in line)
    changed = [*lines]
    changed[victim] = changed[victim].replace('"amount_bits":', '"amount_bits":1')
    (tmp_path / "changed.jsonl").write_text("".join(changed))
    (tmp_path / "other.hex").write_text(hashlib.sha256(b"no key of ours").hexdigest())
    (tmp_path / "empty.hex").write_text("\n")
    proof = json.loads((tmp_path / "proof.json").read_text())
    proof["row_sha256"] = "0" * 64
    (tmp_path / "forged.json").write_text(json.dumps(proof))
    # Of two values under one name readers differ in which they take.
    twice = [*lines]
    twice[victim] = twice[victim].replace('"amount_bits":', '"amount_bits":1,"amount_bits":')
    (tmp_path / "twice.jsonl").write_text("".join(twice))
    for file in ("signed.json", "proof.json"):
        text = (tmp_path / file).read_text().replace('"size":', '"size": 1, "size":', 1)
        (tmp_path / f"twice-{file}").write_text(text)

    signed = ("--checkpoint", "signed.json")
    for arguments, says in (
        (("--export", "changed.jsonl"), "ledger_entry"),
        (("--export", "changed.jsonl", *signed), "ledger_entry"),
        (("--export", "whole.jsonl", *signed, "--public-key", "other.hex"), "signature"),
        (("--export", "twice.jsonl", *signed), f"line {victim + 1} is no row"),
        (("--export", "whole.jsonl", "--checkpoint", "twice-signed.json"), "'size' is there twice"),
        (("--proof", "twice-proof.json", *signed), "'size' is there twice"),
        (("--export", "signed.json"), "broken"),
        (("--export", "whole.jsonl", "--checkpoint", "proof.json"), "not a checkpoint"),
        (("--proof", "forged.json", *signed), "is not in the tree"),
        (("--proof", "signed.json", *signed), "not a proof"),
        (("--proof", "proof.json", *signed, "--public-key", "other.hex"), "signature"),
    ):
        done = skytrunk("ledger", "verify", *arguments)
        assert done.returncode == 1, arguments
        assert says in done.stderr + done.stdout, arguments
    for arguments in (("--export", "whole.jsonl"), ("--proof", "proof.json")):
        done = skytrunk("ledger", "verify", *arguments, *signed, "--public-key", "empty.hex")
        assert (done.returncode, done.stdout) == (2, "")
        assert "public key empty.hex holds ''; allowed: 64 hex digits" in done.stderr
    whole = skytrunk("ledger", "verify", "--export", "whole.jsonl", *signed, "--json")
    assert json.loads(whole.stdout)["ok"] is True
    assert set(json.loads((tmp_path / "signed.json").read_text())) == set(Checkpoint.model_fields)


def test_a_ledger_is_held_against_a_checkpoint_of_another(
    skytrunk: Command, copied: str, replayed: Replayed
) -> None:
    done = skytrunk("--database", copied, "merge", "run", "--at", "2016-12-22T06:00:00Z")
    assert done.returncode == 0
    skytrunk("--database", copied, "ledger", "checkpoint", "--out", "later.json")

    held = skytrunk("--database", replayed.database, "ledger", "verify", "--checkpoint",
                    "later.json", "--json")  # fmt: skip

    assert held.returncode == 1
    (problem,) = json.loads(held.stdout)["problems"]
    assert "the ledger's log has" in problem


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE block SET received_at = 'noon' WHERE id = 1", "block "),
        ("UPDATE command SET at = 7 WHERE id = 1", "command 1"),
        ("UPDATE audit_leaf SET row_sha256 = x'00' WHERE seq = 3", "audit_leaf 3"),
        ("UPDATE pool SET node_a = x'ff' WHERE id = 1", "pool 1"),
        ("DELETE FROM audit_node WHERE position = 2", "audit_node 2 is missing"),
        ("UPDATE audit_node SET hash = 'x' WHERE position = 2", "audit_node 2"),
    ],
)
def test_what_is_wrong_is_told_beside_a_checkpoint_as_well(
    skytrunk: Command, copied: str, tmp_path: Path, statement: str, named: str
) -> None:
    ledger = ("--database", copied, "ledger")
    assert skytrunk(*ledger, "checkpoint", "--out", "signed.json").returncode == 0
    _change(tmp_path, statement)

    done = skytrunk(*ledger, "verify", "--checkpoint", "signed.json")

    assert done.returncode == 1
    assert named in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("skytrunk: ledger broken: ")


def _change(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "copy.db")
    assert connection.execute(statement).rowcount >= 1
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "arguments", "says"),
    [
        ("UPDATE block SET received_at = 'noon'", ("export",), "'noon' in place of an instant"),
        ("UPDATE block SET received_at = 7", ("waiting",), "'7' in place of an instant"),
        ("UPDATE account SET balance_bits = 'many'", ("show",), "balance is no number"),
        ("UPDATE audit_node SET hash = 'x'", ("checkpoint",), "holds no hash"),
        ("UPDATE audit_node SET hash = 'x'", ("prove", "command", "1"), "holds no hash"),
        ("UPDATE audit_key SET kek_id = CAST(kek_id AS BLOB)", ("expire",), "sealed under"),
    ],
)
def test_a_damaged_row_is_told_in_one_line(
    skytrunk: Command,
    copied: str,
    tmp_path: Path,
    statement: str,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    _change(tmp_path, statement)
    done = skytrunk("--database", copied, "ledger", *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert says in line


def test_what_is_written_is_there_whole_or_as_it_was(
    skytrunk: Command, copied: str, tmp_path: Path
) -> None:
    ledger = ("--database", copied, "ledger")
    assert skytrunk(*ledger, "export", "--out", "copy.jsonl").returncode == 0
    before = (tmp_path / "copy.jsonl").read_bytes()
    signed = skytrunk(*ledger, "checkpoint").stdout
    _change(
        tmp_path, "UPDATE block SET received_at = 'noon' WHERE id = (SELECT max(id) FROM block)"
    )

    assert skytrunk(*ledger, "export", "--out", "copy.jsonl").returncode == 1
    nowhere = skytrunk(*ledger, "checkpoint", "--out", "nowhere/checkpoint.json")

    assert (tmp_path / "copy.jsonl").read_bytes() == before
    assert nowhere.returncode == 2
    assert "cannot write nowhere/checkpoint.json: No such file or directory" in nowhere.stderr
    assert not list(tmp_path.glob(".*draft"))
    # Nothing was signed for a file that could not be written.
    again = json.loads(skytrunk(*ledger, "checkpoint").stdout)
    assert again["size"] == json.loads(signed)["size"] + 1


def test_an_audit_without_the_key_says_what_it_did_not_see(
    skytrunk: Command, copied: str, tmp_path: Path
) -> None:
    whole = skytrunk("--database", copied, "ledger", "verify", "--json")
    (tmp_path / "copy.db.kek").unlink()

    done = skytrunk("--database", copied, "ledger", "verify")
    told = skytrunk("--database", copied, "ledger", "verify", "--json")

    assert (done.returncode, told.returncode) == (0, 0)
    assert "ledger sound" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "no sealed byte was opened" in line
    assert json.loads(told.stdout)["sealed_bytes_opened"] is False
    assert json.loads(whole.stdout)["sealed_bytes_opened"] is True


@pytest.mark.parametrize("words", [("ledger", "verify"), ("alerts",)], ids=" ".join)
def test_an_empty_file_is_no_ledger(
    skytrunk: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "empty.db").touch()
    done = skytrunk("--database", "sqlite:///empty.db", *words)
    assert done.returncode == 2
    assert "there is no ledger at sqlite:///empty.db" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["empty.db"]


def test_key_of_a_folder_comes_in_once(skytrunk: Command, copied: str, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    key = hashlib.shake_256(b"courier").digest(64)
    (folder / "one.key").write_bytes(key)
    (folder / "manifest.json").write_text(
        json.dumps(
            {
                "format": "skytrunk-keys/1",
                "blocks": [
                    {
                        "pool": "link:micius--nanshan", "natural_key": "courier/1",
                        "length_bits": 512, "source": "courier", "simulated": False,
                        "eps_total": 1e-9,
                        "file": "one.key", "sha256": hashlib.sha256(key).hexdigest(),
                    }
                ],
            }
        )
    )  # fmt: skip

    first = _json(skytrunk, copied, "keys", "import", "drop")
    again = skytrunk("--database", copied, "keys", "import", "drop")

    assert first == {"blocks": 1, "bits": 512, "pools": {"link:micius--nanshan": 512}}
    assert again.returncode == 1
    assert "imported before" in again.stderr
    assert key.hex() not in again.stderr
