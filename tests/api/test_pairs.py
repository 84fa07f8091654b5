"""Pairs by command line and HTTP: the same windows in JSON, CSV and a table."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import Command, Replayed

SPAN = ("--from", "2016-12-17", "--to", "2016-12-22")
ASKED: dict[str, Any] = {
    "satellite": "micius", "a": "xinglong", "b": "nanshan", "from": "2016-12-17",
    "to": "2016-12-22",
}  # fmt: skip


@pytest.mark.parametrize("at_once", [False, True])
def test_every_interface_gives_the_same_windows(
    skytrunk: Command, http: httpx.Client, replayed: Replayed, at_once: bool
) -> None:
    more = ("--simultaneous",) if at_once else ("--gap-h", "2")
    # What the sessions of the replay taught of both links counts in the key foretold.
    line = ("--database", replayed.database, "pairs", "micius", "xinglong", "nanshan", *SPAN, *more)
    document = json.loads(skytrunk(*line, "--json").stdout)
    answer = http.get(
        "/pairs", params={**ASKED, **({"simultaneous": 1} if at_once else {"gap_h": 2})}
    )
    rows = list(csv.DictReader(io.StringIO(skytrunk(*line, "--csv").stdout)))
    table = skytrunk(*line).stdout

    assert answer.status_code == 200
    assert answer.json() == document
    assert document["pairs"]
    for row, cells in zip(document["pairs"], rows, strict=True):
        assert list(cells) == list(row)
        assert cells["a_begins_at"] == row["a_begins_at"]
        assert cells["expected_bits"] == ("" if at_once else str(row["expected_bits"]))
        assert row["a_begins_at"][11:19] in table


def test_a_route_refuses_what_the_command_refuses(skytrunk: Command, http: httpx.Client) -> None:
    refused = http.get("/pairs", params={**ASKED, "b": "xinglong"})
    done = skytrunk("pairs", "micius", "xinglong", "xinglong", *SPAN)

    assert refused.status_code == 422
    assert refused.json()["detail"] in done.stderr
    assert done.returncode == 2
    assert http.get("/pairs", params={**ASKED, "gap_h": 200}).status_code == 422
    assert http.get("/pairs", params={**ASKED, "a": "baikonur"}).status_code == 404
