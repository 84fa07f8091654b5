"""Strange text at every door that takes element sets: the import, and an endpoint's answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from orbits import format_omm, format_tle, omm_fields, read_elements
from tests.api.conftest import Command

ROOT = Path(__file__).resolve().parents[2]
MICIUS = read_elements((ROOT / "tle" / "micius-2016-2025.tle").read_text())[0]
# Another satellite, so that each door has to say what it took.
ONE = replace(MICIUS, norad_id=5, name="VANGUARD 1")
FIELDS = omm_fields(ONE)
LINES = "\n".join(format_tle(ONE)) + "\n"


def omm(**changes: object) -> str:
    """One message; a value of None leaves the keyword out."""
    return json.dumps({k: v for k, v in {**FIELDS, **changes}.items() if v is not None})


def lower_header(text: str) -> str:
    header, _, rest = text.partition("\n")
    return f"{header.lower()}\n{rest}"


def lower_keys(text: str) -> str:
    pairs = (line.partition("=") for line in text.splitlines())
    return "\n".join(f"{key.lower()}={value}" for key, _, value in pairs) + "\n"


EPOCH = f"{ONE.epoch:%Y-%m-%dT%H:%M:%S}"
ACCEPTED = {
    "a name that begins with '1 '": f"1 FIRST LIGHT\n{LINES}",
    "a name that begins with '2 '": f"2 PATHFINDER\n{LINES}",
    "an epoch with +00:00": omm(EPOCH=EPOCH + "+00:00"),
    "second 60": omm(EPOCH=f"{ONE.epoch:%Y-%m-%dT%H:%M}:60"),
    "a CSV header in lower case": lower_header(format_omm([ONE], "csv")),
    "KVN keywords in lower case": lower_keys(format_omm([ONE], "kvn")),
    "a comma behind the last message": f"[{omm()},]",
    "a comma behind the last field": omm()[:-1] + ",}",
    "a comma behind each row of CSV": format_omm([ONE], "csv").replace("\n", ",\n"),
    "a byte order mark": "\ufeff" + LINES,
    "line ends of another system": LINES.replace("\n", "\r\n"),
}
REFUSED: dict[str, tuple[str, list[str]]] = {
    "no data": ("No GP data found\n", ["'No GP data found'"]),
    "a web page": (
        "<!DOCTYPE html><html><head><title>Log in</title></head></html>",
        ["a web page", "'Log in'"],
    ),
    "a page of XHTML": (
        '<?xml version="1.0"?><!DOCTYPE html><html><head><title>Log in</title></head></html>',
        ["a web page", "'Log in'"],
    ),
    "an error in JSON": ('{"error": "You must be logged in"}', ["'You must be logged in'"]),
    "no BSTAR": (omm(BSTAR=None), ["BSTAR is missing"]),
    "an empty BSTAR": (omm(BSTAR=""), ["BSTAR is missing"]),
    "a key twice": ('{"BSTAR": 0.1, ' + omm()[1:], ["'BSTAR' twice"]),
    "a key twice, in two cases": ('{"bstar": 0.1, ' + omm()[1:], ["BSTAR", "twice"]),
    "n = 17.9": (omm(MEAN_MOTION=17.9), ["mean_motion_rev_per_day 17.9", "17.05"]),
    "n = 17.9 in CSV": (
        format_omm([ONE], "csv").replace(str(ONE.mean_motion_rev_per_day), "17.9"),
        ["mean_motion_rev_per_day 17.9"],
    ),
    "epoch 9999": (omm(EPOCH="9999-12-31T23:59:59"), ["epoch 9999-12-31", "1957 to 2056"]),
    "epoch 9999 and second 60": (omm(EPOCH="9999-12-31T23:59:60"), ["9999-12-31T23:59:60"]),
    "an epoch of year 1": (omm(EPOCH="0001-01-01T00:00:00"), ["1957 to 2056"]),
}


@dataclass(frozen=True)
class Doors:
    """How a text comes in: one function a door."""

    by: dict[str, Callable[[str], CompletedProcess[str]]]


@pytest.fixture
def doors(skytrunk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """Import of a file, and `elements fetch` from an endpoint that answers with the text."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answer = [""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer[0].encode())

        def log_message(self, *_: Any) -> None:
            pass

    def imported(text: str) -> CompletedProcess[str]:
        (tmp_path / "strange.txt").write_bytes(text.encode())
        return skytrunk("elements", "import", "strange.txt")

    def fetched(text: str) -> CompletedProcess[str]:
        answer[0] = text
        url = f"http://127.0.0.1:{server.server_address[1]}/gp"
        return skytrunk("elements", "fetch", "5", SKYTRUNK_ELEMENTS_URL=url)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Doors({"import": imported, "fetch": fetched})
        finally:
            server.shutdown()
            thread.join()


DOORS = pytest.mark.parametrize("door", ["import", "fetch"])


@DOORS
@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_common_is_accepted(
    doors: Doors, skytrunk: Command, tmp_path: Path, door: str, name: str
) -> None:
    done = doors.by[door](ACCEPTED[name])

    assert done.returncode == 0, done.stderr
    listed = skytrunk("elements", "list", "--satellite", "5", "--json")
    (row,) = json.loads(listed.stdout)["elements"]
    assert row["norad_id"] == 5
    if name == "second 60":
        assert row["epoch"][:19] > EPOCH


@DOORS
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_none_is_refused_with_words(doors: Doors, door: str, name: str) -> None:
    text, words = REFUSED[name]

    done = doors.by[door](text)

    assert (done.returncode, done.stdout) == ({"import": 2, "fetch": 1}[door], "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("skytrunk: ")
    for word in words:
        assert word in line


@DOORS
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MEAN_MOTION": 1e-5}, "the mean motion 1e-05 rev/day is absurd"),
        ({"BSTAR": 9e3}, "B* 9e+03 is absurd"),
    ],
    ids=["mean motion", "drag"],
)
def test_the_absurd_element_is_named(
    doors: Doors, skytrunk: Command, door: str, change: dict[str, object], words: str
) -> None:
    epoch = f"{ONE.epoch:%Y-%m-%dT%H:%M:%S}"
    doors.by[door](omm(EPOCH=epoch, **change))
    day, later = (f"{ONE.epoch + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))

    done = skytrunk("passes", "5", "--station", "xinglong", "--from", day, "--to", later)

    assert words in " ".join((done.stdout + done.stderr).split())
