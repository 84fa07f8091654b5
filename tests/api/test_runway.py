"""The key runway from the command line and over HTTP: one question, one answer."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Command, Replayed

AT = "2016-12-19T00:00:00Z"


@pytest.fixture
def planned(skytrunk: Command, replayed: Replayed, tmp_path: Path) -> str:
    """A copy of the replayed ledger, with a week planned after its end."""
    replayed.copy_to(tmp_path / "copy.db")
    database = f"sqlite:///{tmp_path / 'copy.db'}"
    span = ("--from", "2016-12-22", "--to", "2016-12-25", "--at", "2016-12-22")
    done = skytrunk("--database", database, "plan", "make", *span)
    assert done.returncode == 0, done.stderr
    return database


def test_a_pass_taken_away_is_told_in_words(skytrunk: Command, planned: str) -> None:
    asked = ("--database", planned, "runway", "--at", "2016-12-22", "--days", "3")
    answer = json.loads(skytrunk(*asked, "--json").stdout)
    assert {row["pool"] for row in answer["pairs"]} == {
        "pair:beijing--delingha", "pair:beijing--nanshan", "pair:nanshan--shanghai",
    }  # fmt: skip
    for row in answer["pairs"] + answer["links"]:
        assert len(row["bits"]) == 3
        assert len(row["times"]) == len(row["bits"][0])
        assert sorted(row["short_bits"]) == row["short_bits"]

    lost = answer["passes"][0]["pass"]
    told = skytrunk(*asked, "--without", lost)
    document = json.loads(skytrunk(*asked, "--without", lost, "--json").stdout)
    assert [row["pass"] for row in document["passes"] if not row["counted"]] == [lost]
    for change in document["changes"]:
        assert change["why"] in told.stdout.replace("\n", " ")


def test_http_gives_the_same(skytrunk: Command, http: httpx.Client) -> None:
    answer = http.get("/runway", params={"at": AT, "days": 2})
    assert answer.status_code == 200
    body = answer.json()
    assert body["draws"] == 100
    assert [row["pool"] for row in body["pairs"]]

    refused = http.get("/runway", params={"days": 0})
    assert refused.status_code == 422
    strange = http.get("/runway", params=[("without", "atlantis"), ("without", "thule")])
    assert strange.status_code == 404
    assert "atlantis" in strange.json()["detail"]
