"""Key that waits or is over, from the command line, over HTTP and in the report."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import NIGHT, Command, Replayed


@pytest.fixture
def copied(replayed: Replayed, tmp_path: Path) -> str:
    """A copy of the replayed ledger that a test may write to."""
    replayed.copy_to(tmp_path / "copy.db")
    return f"sqlite:///{tmp_path / 'copy.db'}"


def _json(skytrunk: Command, database: str, *arguments: str) -> dict[str, Any]:
    done = skytrunk("--database", database, "ledger", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_every_interface_says_how_many_bits_wait(
    skytrunk: Command, replayed: Replayed, http: httpx.Client
) -> None:
    last = replayed.summary["sessions"][-1]
    (waiting,) = replayed.summary["waiting"]

    listed = _json(skytrunk, replayed.database, "waiting")
    shown = _json(skytrunk, replayed.database, "show")
    assert listed == {"waiting": [waiting], "waiting_bits": last["secret_bits"]}
    # Part of a pass is named by AOS--LOS.
    assert f"/{last['station']}/{last['acquires_at']}" in waiting["natural_key"]
    assert replayed.summary["waiting_bits"] == shown["waiting_bits"] == last["secret_bits"]
    assert http.get("/ledger/balances").json()["waiting_bits"] == last["secret_bits"]

    sentence = f"{last['secret_bits']:,} bits wait for an announcement"
    assert sentence in skytrunk("--database", replayed.database, "ledger", "show").stdout
    table = skytrunk("--database", replayed.database, "ledger", "waiting").stdout
    for word in (waiting["block"], waiting["pool"], waiting["received_at"]):
        assert word in table
    report = (replayed.report / "report.md").read_text()
    assert f"{last['secret_bits']:,} bits still waited for their satellite's announcement" in report
    assert f"- {waiting['natural_key']}: {waiting['bits']:,} bits" in report


def test_waiting_key_is_accepted_by_hand(skytrunk: Command, copied: str) -> None:
    (waiting,) = _json(skytrunk, copied, "waiting")["waiting"]
    words = ("accept", waiting["block"], "--reason", "read out over telemetry")

    first = _json(skytrunk, copied, *words)
    again = skytrunk("--database", copied, "ledger", *words)

    assert (first["bits"], first["state"]) == (waiting["bits"], "available")
    assert again.stdout == f"{waiting['bits']:,} bits of {waiting['block']} are available\n"
    after = _json(skytrunk, copied, "show")
    assert after["waiting_bits"] == 0
    assert _json(skytrunk, copied, "waiting") == {"waiting": [], "waiting_bits": 0}
    assert "wait for" not in skytrunk("--database", copied, "ledger", "show").stdout
    assert skytrunk("--database", copied, "ledger", "verify").returncode == 0


def test_waiting_key_is_voided_by_hand(skytrunk: Command, copied: str) -> None:
    (waiting,) = _json(skytrunk, copied, "waiting")["waiting"]

    answer = _json(skytrunk, copied, "void", waiting["block"], "--reason", "memory lost")
    refused = skytrunk(
        "--database", copied, "ledger", "accept", waiting["block"], "--reason", "after all"
    )

    assert answer["state"] == "voided"
    assert _json(skytrunk, copied, "show")["totals"]["withdrawn"] == waiting["bits"]
    assert refused.returncode == 1
    assert "is destroyed, was to be received" in refused.stderr
    assert skytrunk("--database", copied, "ledger", "verify").returncode == 0


UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("word", ["accept", "void"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nonsense", "--reason", "x"), "allowed: a UUID"),
        ((UNKNOWN, "--reason", "x"), f"no block {UNKNOWN}"),
        ((UNKNOWN, "--reason", " "), "takes a reason"),
        ((UNKNOWN,), "--reason"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_in_a_line(
    skytrunk: Command, copied: str, word: str, arguments: tuple[str, ...], says: str
) -> None:
    done = skytrunk("--database", copied, "ledger", word, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert says in line


def test_what_is_over_is_expired_by_hand_once(skytrunk: Command, copied: str) -> None:
    before = skytrunk("--database", copied, "ledger", "export").stdout
    words = ("--at", "2016-12-21T00:00:00Z")

    nothing = skytrunk("--database", copied, "ledger", "expire", *words)
    told = _json(skytrunk, copied, "expire", *words, "--request-id", "mine")

    assert nothing.returncode == 0
    assert "nothing was over by 2016-12-21T00:00:00.000Z" in nothing.stderr
    assert nothing.stdout.startswith("0 blocks expired with 0 bits")
    assert told == {
        "at": "2016-12-21T00:00:00.000Z", "reservations_released": 0,
        "reservations_uncertain": 0, "blocks_expired": 0, "bits_expired": 0, "keys_closed": 0,
        "blocks_erased": 0,
    }  # fmt: skip
    assert skytrunk("--database", copied, "ledger", "export").stdout == before
    wrong = skytrunk("--database", copied, "ledger", "expire", "--at", "noon")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_a_key_with_an_end_says_so(skytrunk: Command, tmp_path: Path) -> None:
    text = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")
    asked = 'to = "shanghai"\nbits_per_day = 200000\n'
    assert asked in text
    file = tmp_path / "limited.toml"
    file.write_text(text.replace(asked, asked + "max_age_s = 90000\n"), encoding="utf-8")
    database = f"sqlite:///{tmp_path / 'limited.db'}"
    scenario = ("--scenario", str(file))
    done = skytrunk("replay", *NIGHT, *scenario, "--database", database)
    assert done.returncode == 0, done.stderr

    listed = skytrunk(
        "--database", database, "keys", "list", "--pair", "nanshan--shanghai", *scenario, "--json"
    )
    block = json.loads(listed.stdout)["blocks"][-1]
    told = skytrunk("--database", database, "keys", "trace", block["block_id"])
    history = skytrunk("--database", database, "merge", "history", "--json")
    steps = [step for tick in json.loads(history.stdout)["merges"] for step in tick["steps"]]

    assert f"of no use from {block['expires_at']} on" in told.stdout
    assert {step["block"]: step["expires_at"] for step in steps}[block["block_id"]] == (
        block["expires_at"]
    )
    assert all((step["expires_at"] is None) == (step["demand"] != "nanshan--shanghai")
               for step in steps)  # fmt: skip
    plan = skytrunk(
        "--database", database, "merge", "plan", "--at", "2017-01-01", *scenario, "--json"
    )
    demands = {one["demand"]: one for one in json.loads(plan.stdout)["demands"]}
    assert demands["nanshan--shanghai"]["max_age_s"] == 90000.0
    assert "younger than 90000 s" in demands["nanshan--shanghai"]["reason"]


@pytest.mark.parametrize("words", [("waiting",), ("accept", UNKNOWN, "--reason", "x"), ("expire",)])
def test_without_a_ledger_none_is_made(
    skytrunk: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = skytrunk("--database", f"sqlite:///{tmp_path / 'none.db'}", "ledger", *words)

    assert done.returncode == 2
    assert "there is no ledger" in done.stderr
    assert not (tmp_path / "none.db").exists()
