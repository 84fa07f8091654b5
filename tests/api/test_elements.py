"""`skytrunk elements` and GET /elements: what they print, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.schemas.elements import ElementSet
from orbits import format_omm, format_tle, read_elements
from scheduler.settings import load_settings
from tests.api.conftest import Command, Replayed, serving
from tests.orbits.test_earth_file import finals, usual

ROOT = Path(__file__).resolve().parents[2]
PACKAGED = read_elements((ROOT / "tle" / "micius-2016-2025.tle").read_text())
# The element set that explains the format on its Wikipedia page.
ISS = """\
1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927
2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537
"""

BAD_INPUT = [
    (("list", "--satellite", "sputnik"), ["'sputnik'", "41731"]),
    (("list", "--json", "--csv"), ["--json", "--csv"]),
    (("check", "--satellite", "99999"), ["'99999'", "41731"]),
    (("export", "--format", "yaml"), ["'yaml'", "tle", "kvn"]),
    (("export", "--satellite", "99999"), ["'99999'", "41731"]),
    (("accept", "000000"), ["'000000'", "elements list"]),
    (("withdraw", "noon"), ["'noon'", "allowed"]),
    (("withdraw", "2016-12-19", "--from", "noon"), ["from", "'noon'"]),
    (("fetch", "sputnik"), ["'sputnik'", "micius"]),
    (("import", "iss.tle", "--arrived-at", "noon"), ["arrived-at", "'noon'", "allowed"]),
    (("import", "iss.tle", "--arrived-at", "2001-01-01"), ["25544", "allowed"]),
    (("import", "wrong.tle"), ["wrong.tle", "line 1, column 69", "checksum 7", "'8'"]),
    (("import", "wrong.json"), ["wrong.json", "message 1", "MEAN_MOTION"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT, ids=lambda value: " ".join(value))
def test_bad_input_is_one_line_and_exit_code_2(
    skytrunk: Command, tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    (tmp_path / "iss.tle").write_text(ISS)
    (tmp_path / "wrong.tle").write_text(ISS.replace("2927", "2928"))
    (tmp_path / "wrong.json").write_text('[{"NORAD_CAT_ID": 5}]')

    done = skytrunk("elements", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("skytrunk: ")
    for word in words:
        assert word in line
    assert not list(tmp_path.glob("*.db"))


def test_table_json_csv_and_http_list_the_same_sets(skytrunk: Command, http: httpx.Client) -> None:
    document = json.loads(skytrunk("elements", "list", "--json").stdout)
    rows = document["elements"]
    in_csv = list(csv.DictReader(io.StringIO(skytrunk("elements", "list", "--csv").stdout)))
    table = skytrunk("elements", "list").stdout

    assert document["count"] == len(rows) == len(PACKAGED)
    assert all(tuple(row) == ElementSet.names() for row in rows)
    assert [row["epoch"] for row in rows] == sorted(row["epoch"] for row in rows)
    assert [row["sha256"] for row in in_csv] == [row["sha256"] for row in rows]
    assert all(row["arrived_at"] == "" for row in in_csv)
    for row in rows:
        (line,) = [line for line in table.splitlines() if row["epoch"] in line]
        assert str(row["norad_id"]) in line
        assert row["sha256"][:12] in line
    told = http.get("/elements").json()
    told_micius = http.get("/elements", params={"satellite": "micius", "limit": 2}).json()
    for one, other in zip(told["elements"], rows, strict=True):
        assert one.pop("age_days") == pytest.approx(other["age_days"], abs=0.02)
        assert one == {name: value for name, value in other.items() if name != "age_days"}
    assert told_micius["count"] == len(rows)
    assert [row["epoch"] for row in told_micius["elements"]] == [row["epoch"] for row in rows[-2:]]


def test_source_hash_and_arrival_of_an_import_are_listed(skytrunk: Command, tmp_path: Path) -> None:
    (tmp_path / "iss.tle").write_text(ISS)
    skytrunk("elements", "import", "iss.tle", "--arrived-at", "2008-09-22")

    listed = skytrunk("elements", "list", "--satellite", "25544", "--json")

    (row,) = json.loads(listed.stdout)["elements"]
    assert row["source"] == "iss.tle"
    assert row["arrived_at"] == "2008-09-22T00:00:00.000Z"
    assert row["sha256"] == read_elements(ISS)[0].sha256
    assert row["age_days"] > 6000.0


@pytest.mark.parametrize("form", ["tle", "json", "csv", "xml", "kvn"])
def test_an_export_can_be_imported_again(skytrunk: Command, tmp_path: Path, form: str) -> None:
    printed = skytrunk("elements", "export", "--format", form, "--satellite", "micius")
    filed = skytrunk("elements", "export", "--format", form, "--out", f"out.{form}")

    assert (printed.returncode, printed.stderr) == (0, "")
    assert (filed.returncode, filed.stdout) == (0, "")
    assert (tmp_path / f"out.{form}").read_text() == printed.stdout
    assert read_elements(printed.stdout) == PACKAGED
    assert skytrunk("elements", "import", f"out.{form}").returncode == 0
    listed = json.loads(skytrunk("elements", "list", "--json").stdout)
    assert listed["count"] == len(PACKAGED)  # the same sets are kept once


def test_a_number_too_long_for_a_tle_is_refused_there(skytrunk: Command, tmp_path: Path) -> None:
    text = format_omm(PACKAGED[:1]).replace("41731", "400001")
    (tmp_path / "long.json").write_text(text)
    assert skytrunk("elements", "import", "long.json").returncode == 0

    refused = skytrunk("elements", "export", "--satellite", "400001")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "400001 does not fit in a TLE" in refused.stderr
    assert "write an OMM" in refused.stderr


def test_a_sound_archive_passes_its_check(skytrunk: Command) -> None:
    done = skytrunk("elements", "check")

    assert done.returncode == 0
    (earth,) = done.stderr.splitlines()
    assert "leap seconds" in earth
    assert done.stdout == f"{len(PACKAGED)} element sets agree with their neighbours\n"


def test_a_spliced_set_is_named_and_the_exit_code_is_1(skytrunk: Command, tmp_path: Path) -> None:
    # Line 1 of one epoch with line 2 of another: every checksum is right.
    later = replace(PACKAGED[4], epoch=PACKAGED[4].epoch + timedelta(hours=6))
    first, second = format_tle(later)[0], format_tle(PACKAGED[8])[1]
    (tmp_path / "spliced.tle").write_text(f"{first}\n{second}\n")
    assert skytrunk("elements", "import", "spliced.tle").returncode == 0

    told = skytrunk("elements", "check", "--satellite", "micius", "--json")
    printed = skytrunk("elements", "check")

    assert (told.returncode, printed.returncode) == (1, 1)
    earth, note = printed.stderr.splitlines()
    assert "leap seconds" in earth
    assert note.startswith("skytrunk: ")
    found = [row for row in json.loads(told.stdout)["findings"] if row["source"] == "spliced.tle"]
    (row,) = found
    assert (row["kind"], row["norad_id"]) == ("spliced", 41731)
    assert row["difference_km"] > row["limit_km"] or row["across_km"] > row["limit_across_km"]
    assert row["sentence"] in printed.stdout
    assert f"{row['difference_km']:.1f} km" in row["sentence"]


def test_a_spliced_set_waits_until_it_is_accepted(skytrunk: Command, tmp_path: Path) -> None:
    later = replace(PACKAGED[6], epoch=PACKAGED[6].epoch + timedelta(hours=6))
    first, second = format_tle(later)[0], format_tle(PACKAGED[4])[1]
    (tmp_path / "spliced.tle").write_text(
        f"Elements of tonight, with the best regards.\n\n{first}\n{second}\n"
    )
    brought = skytrunk("elements", "import", "spliced.tle", "--json")
    told = json.loads(brought.stdout)
    assert (told["added"], told["released"]) == (1, [])
    assert told["skipped"] == [
        "line 1 is no element set: 'Elements of tonight, with the best regar'"
    ]
    (sentence,) = told["quarantined"]
    signed, *notes = brought.stderr.splitlines()
    assert signed.startswith("skytrunk: new ledger, signed by ")
    assert notes == [
        f"skytrunk: skipped: {told['skipped'][0]}",
        f"skytrunk: quarantined: {sentence}",
        "skytrunk: quarantined sets serve nothing until `skytrunk elements accept`",
    ]
    (row,) = _standing_but(skytrunk, "serves")
    assert (row["standing"], row["since"], row["reason"]) == ("quarantined", None, sentence)

    accepted = skytrunk("elements", "accept", row["epoch"], "--reason", "looked at it", "--json")
    assert json.loads(accepted.stdout)["elements"] == [_standing_but(skytrunk, "serves")[0]]
    assert _standing_but(skytrunk, "serves")[0]["standing"] == "accepted"
    withdrawn = skytrunk("elements", "withdraw", row["sha256"][:12], "--from", "2016-12-24")
    assert withdrawn.returncode == 0
    (row,) = _standing_but(skytrunk, "serves")
    assert (row["standing"], row["since"]) == ("withdrawn", "2016-12-24T00:00:00.000Z")
    assert "withdrawn 2016-12-24 00:00" in withdrawn.stdout


def _standing_but(skytrunk: Command, standing: str) -> list[dict[str, Any]]:
    listed = json.loads(skytrunk("elements", "list", "--json").stdout)
    return [row for row in listed["elements"] if row["standing"] != standing]


def test_fetch_asks_the_configured_endpoint(
    skytrunk: Command, feed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    first = skytrunk("elements", "fetch", "5", "--json", SKYTRUNK_ELEMENTS_URL=feed)
    second = skytrunk("elements", "fetch", "5", SKYTRUNK_ELEMENTS_URL=feed)
    unknown = skytrunk("elements", "fetch", "6", SKYTRUNK_ELEMENTS_URL=feed)

    document = json.loads(first.stdout)
    assert document["added"] == 1
    assert [row["norad_id"] for row in document["received"]] == [5]
    assert second.stdout == "1 element set received, 0 of them new\n"
    assert unknown.returncode == 1
    assert unknown.stdout == ""
    assert "gave no element set of 6" in unknown.stderr
    (row,) = json.loads(skytrunk("elements", "list", "--satellite", "5", "--json").stdout)[
        "elements"
    ]
    assert row["source"] == feed
    assert row["arrived_at"] is not None


def test_rounds_of_fetches_end_with_every_set(
    skytrunk: Command, strict_feed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked = ("elements", "fetch", "micius", "25544")

    first, second, third = (skytrunk(*asked, SKYTRUNK_ELEMENTS_URL=strict_feed) for _ in range(3))

    assert [first.returncode, second.returncode, third.returncode] == [1, 0, 0]
    assert first.stdout == "1 element set received, 1 of them new\n"
    assert "answered 503 Service Unavailable for satellite 25544: busy" in first.stderr
    assert second.stdout == "2 element sets received, 1 of them new\n"
    assert "41731 was asked for at" in second.stderr
    rows = json.loads(skytrunk("elements", "list", "--latest", "--json").stdout)["elements"]
    assert {row["norad_id"] for row in rows} == {25544, 41731}
    # Without what was kept, the endpoint's own words are told, and nothing has failed.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    told = skytrunk(*asked, SKYTRUNK_ELEMENTS_URL=strict_feed)
    assert (told.returncode, told.stdout) == (0, "0 element sets received, 0 of them new\n")
    assert told.stderr.count("Data has not changed since you took it") == 2


@pytest.fixture
def strict_feed() -> Iterator[str]:
    """The address of an endpoint that gives each satellite once, then 403; 25544 is busy first."""
    given: set[int] = set()
    busy = {25544}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = 41731 if "41731" in self.path else 25544
            if number in busy:
                busy.remove(number)
                self._say(503, "busy")
            elif number in given:
                self._say(403, "Data has not changed since you took it; it changes every 2 hours.")
            else:
                given.add(number)
                self._say(200, format_omm(PACKAGED[-1:]).replace("41731", str(number)))

        def _say(self, status: int, body: str) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    yield from _served(Handler)


@pytest.fixture
def feed() -> Iterator[str]:
    """The address of an endpoint that knows satellite 5 only."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = "CATNR=5&" in self.path
            body = format_omm(PACKAGED[:1]).replace("41731", "5") if known else "No GP data found"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    yield from _served(Handler)


def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/gp"
        finally:
            server.shutdown()
            thread.join()


QUESTION = ("passes", "micius", "--station", "xinglong")


def test_a_request_after_the_end_tells_of_it(skytrunk: Command) -> None:
    done = skytrunk(*QUESTION, "--from", "2026-09-01", "--to", "2026-09-02")

    assert (done.returncode, done.stdout) == (2, "")
    for words in ("its last element set is of 2025-12-12", "mean motion rising", "coming down"):
        assert words in done.stderr


def test_timing_and_notes_are_shown_everywhere(skytrunk: Command, http: httpx.Client) -> None:
    days = ("--from", "2025-12-20", "--to", "2025-12-21")
    document = json.loads(skytrunk(*QUESTION, *days, "--json").stdout)
    table = skytrunk(*QUESTION, *days).stdout
    as_csv = skytrunk(*QUESTION, *days, "--csv")
    params = {"satellite": "micius", "station": "xinglong", "from": days[1], "to": days[3]}

    assert http.get("/passes", params=params).json() == document
    (note,) = document["notes"]
    assert "coming down" in note
    assert " ".join(note.split()) in " ".join(table.split())
    assert as_csv.stderr == f"skytrunk: {note}\n"
    for row, cells in zip(
        document["passes"], csv.DictReader(io.StringIO(as_csv.stdout)), strict=True
    ):
        assert row["time_sigma_s"] > 0.0
        assert cells["time_sigma_s"] == str(row["time_sigma_s"])
        (line,) = [line for line in table.splitlines() if row["rises_at"][11:23] in line]
        assert f"{row['time_sigma_s']:.3f}" in line.split()


def test_sets_are_withdrawn_and_accepted_over_http(replayed: Replayed, tmp_path: Path) -> None:
    replayed.copy_to(tmp_path / "own.db")  # others replay the shared one once more
    with serving(load_settings(database_url=f"sqlite:///{tmp_path / 'own.db'}")) as http:
        digest = PACKAGED[3].sha256
        asked = {"elements": [digest[:12]], "from": "2016-12-20T00:00:00Z", "reason": "spliced"}

        (withdrawn,) = http.post("/elements/withdraw", json=asked).json()["elements"]
        by_epoch = {"elements": [f"{PACKAGED[3].epoch:%Y-%m-%dT%H:%M:%SZ}"], "satellite": 41731}
        (accepted,) = http.post("/elements/accept", json=by_epoch).json()["elements"]
        missing = http.post("/elements/accept", json={"elements": ["000000000000"]})
        bad = http.post("/elements/withdraw", json={"elements": ["noon"]})

        assert withdrawn["sha256"] == accepted["sha256"] == digest
        assert withdrawn["standing"] == "withdrawn"
        assert withdrawn["since"] == "2016-12-20T00:00:00.000Z"
        assert withdrawn["reason"] == "spliced"
        assert accepted["standing"] == "accepted"
        assert missing.status_code == 404
        assert "000000000000" in missing.text
        assert bad.status_code == 422


def test_a_check_says_until_when_the_earths_turning_is_known(skytrunk: Command) -> None:
    done = skytrunk("elements", "check", "--json")

    document = json.loads(done.stdout)
    assert document["ut1_known_until"].startswith("2027-01-23")
    assert "leap seconds" in done.stderr
    assert "until 2027-01-23; after that UT1 goes on smoothly" in done.stderr
    assert "1 s, 7.6 km along a low orbit" in done.stderr


def test_a_newer_ut1_file_is_used_and_a_bad_one_is_named(skytrunk: Command, tmp_path: Path) -> None:
    (tmp_path / "finals.all").write_text(finals(usual()))
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "bad.all").write_text("<html>")
    newer = {"SKYTRUNK_UT1_FILE": "finals.all"}

    checked = skytrunk("elements", "check", "--json", **newer)
    bad = skytrunk("elements", "check", SKYTRUNK_UT1_FILE="bad.all")
    damaged = skytrunk("elements", "check", SKYTRUNK_UT1_FILE="bad.npz")
    away = skytrunk("elements", "check", SKYTRUNK_UT1_FILE="none.all")

    assert json.loads(checked.stdout)["ut1_known_until"].startswith("2028-03-01")
    assert "until 2028-03-01; after that" in checked.stderr
    for refused, words in ((bad, "line 1, column 8"), (damaged, "zip"), (away, "No such file")):
        assert refused.returncode == 2
        assert refused.stderr.startswith("skytrunk: setting ut1_file: ")
        assert words in refused.stderr
