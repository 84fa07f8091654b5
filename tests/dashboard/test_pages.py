"""Every page as the server sends it: figures as the API's, strict headers, words for trouble."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import httpx
import pytest

from api.dashboard.svg.network import LETTER, LINE, network_picture
from scheduler.settings import load_settings
from scheduler.sources.scenarios import load_scenario
from tests.api.conftest import serving

NAMES = ("today", "runway", "passes", "plan", "network", "ledger", "replay", "jobs")
PAGE_BYTES_MAX = 120_000
"""What a page may weigh, gzipped, with its style and script."""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_comes_from_here_alone_and_is_light(pages: httpx.Client, name: str) -> None:
    answer = pages.get(f"/ui/{name}")
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    text = answer.text
    assert text.count("<h1>") == 1
    assert f'href="/ui/{name}" aria-current="page"' in text
    assert not re.findall(r"(?:src|href)=\"(?!/|#)[^\"]*\"", text)
    assert "style=" not in text
    assert " onclick" not in text
    static = re.findall(r"/ui/static/[a-z.]+", text)
    weight = len(gzip.compress(answer.content))
    weight += sum(len(gzip.compress(pages.get(url).content)) for url in set(static))
    assert weight <= PAGE_BYTES_MAX


def test_a_pass_in_full_is_light_too(pages: httpx.Client) -> None:
    asked = {"satellite": "micius", "station": "xinglong", "from": "2016-12-21", "days": 30}
    rows = pages.get(
        "/passes",
        params={"satellite": "micius", "station": "xinglong", "from": "2016-12-21",
                "to": "2016-12-23"},
    ).json()["passes"]  # fmt: skip
    answer = pages.get("/ui/passes", params={**asked, "pass": rows[0]["pass"]})
    files = set(re.findall(r"/ui/static/[a-z.]+", answer.text))
    assert "/ui/static/land.svg" in files
    weight = len(gzip.compress(answer.content))
    weight += sum(len(gzip.compress(pages.get(url).content)) for url in files)
    assert weight <= PAGE_BYTES_MAX


def test_the_root_leads_somewhere(pages: httpx.Client) -> None:
    assert pages.get("/").headers["Location"] == "/ui/today"


def test_passes_are_those_of_the_api(pages: httpx.Client) -> None:
    asked = {"satellite": "micius", "from": "2016-12-21", "forecast": "true"}
    rows = pages.get("/passes", params={**asked, "to": "2016-12-23", "station": "xinglong"}).json()
    text = pages.get("/ui/passes", params={**asked, "station": "xinglong", "days": 2}).text
    assert rows["passes"]
    for row in rows["passes"]:
        assert f"{row['max_elevation_deg']:.3f}" in text
        assert f"{row['range_km_min']:.3f}" in text
        assert f"{row['secret_bits']:,}" in text
    assert text.count('class="track ') == len(rows["passes"])


def test_a_plan_shows_every_pass_with_its_reason(pages: httpx.Client) -> None:
    plan = pages.get("/plans").json()["plans"][-1]["plan"]
    passes = pages.get(f"/plans/{plan}").json()["passes"]
    text = pages.get("/ui/plan").text.replace("&#39;", "'").replace("&lt;", "<")
    for one in passes:
        assert f'id="{one["pass"]}"' in text
        assert one["why"] in text
    assert text.count('<rect class="bar ') == len(passes)
    assert 'class="now"' in text


def test_the_runway_is_that_of_the_api(pages: httpx.Client) -> None:
    answer = pages.get("/runway").json()
    lost = answer["passes"][0]["pass"]
    changed = pages.get("/runway", params={"without": lost}).json()
    text = pages.get("/ui/runway", params={"without": lost}).text
    assert changed["changes"]
    for change in changed["changes"]:
        assert change["why"] in text
    assert text.count('aria-checked="false"') == 1
    assert text.count("<article") >= len(answer["pairs"])
    assert text.count('role="switch"') == len(answer["passes"])


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/ui/runway?without=atlantis", 404, "atlantis"),
        ("/ui/passes?from=soon", 200, "soon"),
        ("/ui/passes?station=atlantis", 200, "atlantis"),
        ("/ui/ledger?key=%3Cscript%3E", 200, "&lt;script&gt;"),
        ("/ui/plan?plan=none-such", 200, "none-such"),
    ],
)
def test_what_cannot_be_shown_is_said(
    pages: httpx.Client, address: str, status: int, words: str
) -> None:
    answer = pages.get(address)
    assert answer.status_code == status
    assert words in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("name", NAMES)
def test_without_a_ledger_a_page_says_so(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with serving(load_settings(database_url=url)) as client:
        answer = client.get(f"/ui/{name}")
    assert answer.status_code in {200, 404, 422}
    assert "<h1>" in answer.text
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("name", ["micius-2016", "beijing-shanghai", "intercontinental"])
def test_names_on_the_map_cover_no_node(name: str) -> None:
    picture = network_picture(load_scenario(name), {}, {})
    named = [(dot, dot.label) for dot in picture.dots if dot.label is not None]
    assert named
    for dot, label in named:
        wide = LETTER * len(dot.name)
        left = label.x - {"start": 0.0, "end": wide, "middle": wide / 2}[label.anchor]
        covered = [
            other.name
            for other in picture.dots
            if left <= other.x <= left + wide and label.y - LINE <= other.y <= label.y + 4.0
        ]
        assert not covered, f"{dot.name} covers {covered}"
