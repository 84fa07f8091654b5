"""Words in pictures, CSV, calendars and reports, byte order marks, HEAD: text is text."""

from __future__ import annotations

import csv
import io
import json
import logging
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from api.export.csv import to_csv
from api.plots.style import FONT, draw, drawable
from api.report.markdown import plain
from api.schemas.elements import FetchedSet
from scheduler.settings import load_settings
from tests.api.conftest import Command, serving

DAY = ("--from", "2016-12-21", "--to", "2016-12-22")
BOM = b"\xef\xbb\xbf"
SHIPPED = (files("scheduler.scenarios") / "micius-2016.toml").read_text(encoding="utf-8")


def _scenario(path: Path, name: str) -> str:
    text = SHIPPED.replace('name = "Xinglong"', f"name = {json.dumps(name, ensure_ascii=False)}")
    assert name in text
    path.write_text(text, encoding="utf-8")
    return str(path)


# -- pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["costs $$ a night", "$x_", "a_{b", "100 % \\alpha$"])
def test_dollars_and_braces_are_drawn_as_they_are(tmp_path: Path, words: str) -> None:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_title(words)
        axes.set_yticks([0.0], labels=[words])
        axes.plot([0.0], [0.0], label=words)
        axes.legend()

    assert draw(tmp_path / "x.png", (4.0, 3.0), paint).stat().st_size > 1000


def _titled(path: Path, words: str) -> None:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_yticks([0.0], labels=[words])
        axes.set_title(words)  # in bold, which other fonts may not have

    draw(path, (4.0, 3.0), paint)


def test_letters_that_no_font_has_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _titled(tmp_path / "x.png", "\U00012345 and \U00012346")  # cuneiform: no font of ours has it

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "skytrunk: x.png: no installed font has the letters \U00012345 \U00012346"
    )


def test_letters_of_another_installed_font_are_drawn_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, other = (set(get_font(findfont(name)).get_charmap()) for name in (FONT, "STIXGeneral"))
    letter = chr(min(other - ours))

    _titled(tmp_path / "x.png", letter)
    _titled(tmp_path / "y.png", "?")

    assert caplog.records == []
    assert (tmp_path / "x.png").read_bytes() != (tmp_path / "y.png").read_bytes()


@pytest.mark.parametrize("name", ["兴隆站", "cost: $$ and {", "<b>&"])
def test_a_plan_is_drawn_whatever_its_stations_are_called(
    skytrunk: Command, tmp_path: Path, name: str
) -> None:
    scenario = _scenario(tmp_path / "named.toml", name)
    made = skytrunk("plan", "make", *DAY, "--at", "2016-12-21", "--scenario", scenario)
    assert made.returncode == 0, made.stderr

    done = skytrunk("plan", "show", "--picture", "seen.png", SKYTRUNK_SCENARIO=scenario)
    ical = skytrunk("plan", "show", "--ical", SKYTRUNK_SCENARIO=scenario)

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert (tmp_path / "seen.png").stat().st_size > 10_000
    assert f"over {name}" in ical.stdout


def test_a_name_that_cannot_be_drawn_goes_by_its_id(caplog: pytest.LogCaptureFixture) -> None:
    assert drawable("Graz–Lustbühel", "graz") == "Graz–Lustbühel"
    assert drawable("\U00012345", "graz") == "graz"
    assert drawable("\U00012345", "graz") == "graz"
    assert [record.getMessage() for record in caplog.records] == [
        "skytrunk: no installed font has the letters \U00012345; drawn: graz"
    ]


# -- CSV, Markdown ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x","y")', "@SUM(1)", "+1", "-1", "\tx"])
def test_a_name_is_no_formula_for_a_spreadsheet(name: str) -> None:
    epoch = datetime(2016, 12, 19, tzinfo=UTC)
    row = FetchedSet(norad_id=-7, name=name, epoch=epoch, source="x", sha256="0")

    (read,) = csv.DictReader(io.StringIO(to_csv([row], FetchedSet.names())))

    assert read["name"] == "'" + name
    assert read["norad_id"] == "-7"  # a number stays a number


def test_markdown_shows_signs_as_they_are() -> None:
    assert plain("a*b* `c` <i> [d](e)") == "a\\*b\\* \\`c\\` \\<i> [d]\\(e)"


# -- byte order marks ---------------------------------------------------------------------------


def test_a_byte_order_mark_is_read_at_every_interface(skytrunk: Command, tmp_path: Path) -> None:
    (tmp_path / "marked.toml").write_bytes(BOM + SHIPPED.encode())
    (tmp_path / "settings.toml").write_bytes(BOM + b'scenario = "marked.toml"\n')
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "manifest.json").write_bytes(BOM + b'{"format": "other"}')

    listed = skytrunk("--config", "settings.toml", "stations", "--json")
    refused = skytrunk("keys", "import", "drop")

    assert len(json.loads(listed.stdout)["stations"]) == 3
    assert "format is missing or another" in refused.stderr  # read as far as its words


# -- HTTP -----------------------------------------------------------------------------------------


def test_every_get_answers_head_without_a_body(tmp_path: Path) -> None:
    with serving(load_settings(database_url=f"sqlite:///{tmp_path / 'x.db'}")) as client:
        for path in ("/health", "/stations", "/docs", "/openapi.json", "/elements"):
            got, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"] == got.headers["content-type"]
        assert client.head("/nowhere").status_code == 404
        assert client.head("/passes").status_code == 422


def test_a_picture_of_any_name_comes_over_http_too(skytrunk: Command, tmp_path: Path) -> None:
    scenario = _scenario(tmp_path / "named.toml", "$$")
    database = f"sqlite:///{tmp_path / 'x.db'}"
    body = {"from": "2016-12-21", "to": "2016-12-22", "at": "2016-12-21"}
    with serving(load_settings(database_url=database, scenario=scenario)) as client:
        plan = client.post("/plans", json=body).json()["plan"]
        answer: httpx.Response = client.get(f"/plans/{plan}/timeline.png")
    assert answer.status_code == 200
    assert answer.content.startswith(b"\x89PNG")
