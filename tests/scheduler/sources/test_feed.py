"""The feed of element sets, against a server of our own on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from orbits import Elements, format_omm, format_tle, read_elements
from scheduler.errors import FeedError, SettingsError
from scheduler.sources.feed import REDIRECTS_MAX, Feed, without_secrets
from scheduler.sources.feed_cache import FeedCache

PACKAGED = Path(__file__).parents[3] / "tle" / "micius-2016-2025.tle"
SETS = read_elements(PACKAGED.read_text(), source="test")
MICIUS = SETS[-1]
TLE = "".join(f"{line}\n" for line in ("MICIUS", *format_tle(MICIUS)))
OMM = format_omm([MICIUS])


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def fetch(feed: Feed, norad_ids: list[int]) -> list[Elements]:
    """Every set of some satellites, or the first failure."""
    answers = feed.ask(norad_ids, at=NOW)
    for answer in answers:
        if answer.failure:
            raise FeedError(answer.failure)
    return [item for answer in answers for item in answer.elements]


@dataclass
class Endpoint:
    """A GP endpoint that answers each path as it was told, and keeps what it was asked."""

    port: int
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def give(self, path: str, body: str | bytes, status: int = 200, **headers: str) -> str:
        raw = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = (status, named, raw)
        return self.base + path


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.path, dict(self.headers)))
            status, headers, body = served.answers.get(
                self.path.partition("?")[0], (404, {}, b"nothing here")
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Endpoint(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("body", [OMM, TLE, "\ufeff" + OMM], ids=["omm", "tle", "bom"])
def test_sets_of_a_base_address_are_asked_for_by_number_and_as_json(
    endpoint: Endpoint, body: str
) -> None:
    url = endpoint.give("/gp.php", body)

    (found,) = fetch(Feed(url=url), [41731])

    assert found.norad_id == 41731
    assert found.epoch == MICIUS.epoch
    assert found.source == url
    ((path, headers),) = endpoint.asked
    assert path == "/gp.php?CATNR=41731&FORMAT=json"
    assert headers["user-agent" if "user-agent" in headers else "User-Agent"].startswith("skytrunk")
    assert headers["Accept-Encoding"] == "identity"


def test_a_template_holds_the_number_and_a_base_keeps_its_query(endpoint: Endpoint) -> None:
    endpoint.give("/41731.json", OMM)

    (found,) = fetch(Feed(url=endpoint.base + "/{norad_id}.json?key=secret"), [41731])

    assert endpoint.asked[0][0] == "/41731.json?key=secret"
    assert found.source == f"{endpoint.base}/41731.json"
    based = Feed(url="https://example.org/gp?key=secret").address(5)
    assert based == "https://example.org/gp?key=secret&CATNR=5&FORMAT=json"


BAD_ADDRESSES = [
    "", "celestrak.org", "ftp://example.org/gp", "file:///etc/passwd", "http://", "http://[::1/gp",
    "https://user:secret@example.org/gp", "https://example.org/a b", "https://example.org:0/gp",
    "https://example.org:99999/gp",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="elements_url") as refused:
        Feed(url=url)

    assert "allowed" in str(refused.value)
    assert "secret" not in str(refused.value)


REFUSED = [
    ("No GP data found", 200, {}, ["no element set of 41731", "'No GP data found'"]),
    ("", 200, {}, ["no element set of 41731"]),
    ("<html><body>busy</body></html>", 200, {}, ["no element set of 41731", "a web page"]),
    (format_omm([MICIUS]).replace("41731", "25544"), 200, {}, ["41731", "25544"]),
    (OMM.replace('"MEAN_MOTION": ', '"MEAN_MOTION": "x'), 200, {}, ["no element set"]),
    ("gone", 403, {}, ["403", "41731"]),
    ("broken", 500, {}, ["500"]),
    (b"\xff\xfe\x00", 200, {}, ["byte 0", "UTF-8"]),
    (OMM, 200, {"content_encoding": "gzip"}, ["compressed"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "headers", "words"), REFUSED)
def test_anything_but_sets_of_the_satellite_is_refused(
    endpoint: Endpoint, body: str | bytes, status: int, headers: dict[str, str], words: list[str]
) -> None:
    url = endpoint.give("/gp", body, status, **headers)

    with pytest.raises(FeedError) as refused:
        fetch(Feed(url=f"{url}?key=secret"), [41731])

    for word in words:
        assert word in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_answer_beyond_the_limit_of_size_is_refused(endpoint: Endpoint) -> None:
    url = endpoint.give("/gp", OMM)

    assert fetch(Feed(url=url, bytes_max=len(OMM)), [41731])
    with pytest.raises(FeedError, match=f"more than {len(OMM) - 1} bytes"):
        fetch(Feed(url=url, bytes_max=len(OMM) - 1), [41731])


def test_an_answer_that_drips_is_given_up(endpoint: Endpoint) -> None:
    url = endpoint.give("/gp", OMM)
    seconds = count(0.0, 15.0)

    with pytest.raises(FeedError, match="within 10 s"):
        fetch(Feed(url=url, timeout_s=10.0, stopwatch=lambda: next(seconds)), [41731])


def test_no_server_is_an_error_that_names_the_address() -> None:
    with pytest.raises(FeedError, match=r"no answer from http://127\.0\.0\.1:9/gp"):
        fetch(Feed(url="http://127.0.0.1:9/gp", timeout_s=2.0), [41731])


def test_redirects_are_followed_on_the_same_host_only(endpoint: Endpoint) -> None:
    endpoint.give("/new", OMM)
    near = endpoint.give("/near", "", 301, location="/new")
    loop = endpoint.give("/loop", "", 302, location="/loop")

    assert fetch(Feed(url=near), [41731])
    with pytest.raises(FeedError, match=f"more than {REDIRECTS_MAX} times"):
        fetch(Feed(url=loop), [41731])
    for target in (
        "http://localhost.example/gp", f"http://localhost:{endpoint.port}/new", "//127.0.0.2/new",
        "http://127.0.0.1:1/new", f"http://user:pw@127.0.0.1:{endpoint.port}/new", "ftp://127.0.0.1/",
        f"https://127.0.0.1:{endpoint.port}/new",
    ):  # fmt: skip
        far = endpoint.give("/far", "", 302, location=target)
        asked = len(endpoint.asked)
        with pytest.raises(FeedError, match="allowed: the same host"):
            fetch(Feed(url=far), [41731])
        assert len(endpoint.asked) == asked + 1


def test_what_came_is_kept_though_another_satellite_failed(endpoint: Endpoint) -> None:
    other = json.loads(OMM)
    other[0]["NORAD_CAT_ID"] = 100000001
    endpoint.give("/41731", OMM)
    endpoint.give("/100000001", json.dumps(other))
    feed = Feed(url=endpoint.base + "/{norad_id}")

    answers = feed.ask([41731, 7, 100000001], at=NOW)

    assert [[item.norad_id for item in one.elements] for one in answers] == [
        [41731], [], [100000001],
    ]  # fmt: skip
    assert "answered 404 Not Found for satellite 7: nothing here" in answers[1].failure


def test_where_nobody_answers_the_rest_is_not_asked() -> None:
    first, second = Feed(url="http://127.0.0.1:9/gp", timeout_s=2.0).ask([5, 6], at=NOW)

    assert "no answer from http://127.0.0.1:9/gp" in first.failure
    assert second.failure == "6 was not asked for"


@pytest.mark.parametrize(
    "words",
    [
        "Data has not changed since you took it; it changes every 2 hours.",
        "GP data has not updated since your last successful download",
    ],
)
def test_a_403_that_says_nothing_new_is_no_failure(endpoint: Endpoint, words: str) -> None:
    url = endpoint.give("/gp", f"{words}\n", 403)

    (answer,) = Feed(url=url).ask([41731], at=NOW)

    assert (answer.failure, answer.elements) == ("", ())
    assert answer.unchanged == f"{url} answered 403 Forbidden for satellite 41731: {words}"


def test_an_address_is_asked_once_in_two_hours_and_then_for_news_alone(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    cache = FeedCache(tmp_path / "cache")
    url = endpoint.give("/gp", OMM, ETag='"one"', Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT")
    feed = Feed(url=f"{url}?key=secret")
    hours = [NOW + timedelta(hours=h) for h in (0.0, 1.9, 2.0, 2.5, 4.0, 3.0)]

    (first,) = feed.ask([41731], at=hours[0], cache=cache)
    (soon,) = feed.ask([41731], at=hours[1], cache=cache)
    assert len(endpoint.asked) == 1
    assert "41731 was asked for at" in soon.unchanged
    assert "is not before" in soon.unchanged
    endpoint.give("/gp", "", 304)
    (later,) = feed.ask([41731], at=hours[2], cache=cache)
    (after,) = feed.ask([41731], at=hours[3], cache=cache)
    endpoint.give("/gp", "not changed", 403)
    (told,) = feed.ask([41731], at=hours[4], cache=cache)

    assert first.unchanged == ""
    assert later.unchanged == f"{url} has nothing newer of 41731"
    assert "was asked for" in after.unchanged
    assert "403" in told.unchanged
    assert all(one.elements == first.elements for one in (soon, later, after, told))
    assert len(endpoint.asked) == 3
    assert endpoint.asked[0][1].get("If-None-Match") is None
    for _, headers in endpoint.asked[1:]:
        assert headers["If-None-Match"] == '"one"'
        assert headers["If-Modified-Since"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    # A clock that was set back does not keep us from asking.
    feed.ask([41731], at=hours[5], cache=cache)
    assert len(endpoint.asked) == 4
    assert "secret" not in "".join(f"{path}{path.read_text()}" for path in cache.folder.iterdir())


def test_a_failure_is_not_kept(endpoint: Endpoint, tmp_path: Path) -> None:
    cache = FeedCache(tmp_path / "cache")
    url = endpoint.give("/gp", "busy", 503)
    (first,) = Feed(url=url).ask([41731], at=NOW, cache=cache)
    endpoint.give("/gp", "No GP data found")
    (second,) = Feed(url=url).ask([41731], at=NOW, cache=cache)
    endpoint.give("/gp", OMM)
    (third,) = Feed(url=url).ask([41731], at=NOW, cache=cache)

    assert "503" in first.failure
    assert "no element set" in second.failure
    assert third.elements


@pytest.mark.parametrize("text", ["", "{", "[]", '{"asked_at": "2026-01-01"}', '{"x": 1}'])
def test_a_broken_cache_is_none(endpoint: Endpoint, tmp_path: Path, text: str) -> None:
    cache = FeedCache(tmp_path)
    url = endpoint.give("/gp", OMM)
    Feed(url=url).ask([41731], at=NOW, cache=cache)
    (file,) = tmp_path.iterdir()
    file.write_text(text)

    (answer,) = Feed(url=url).ask([41731], at=NOW, cache=cache)

    assert (answer.unchanged, len(endpoint.asked)) == ("", 2)


def test_what_is_shown_of_an_address_holds_no_secret() -> None:
    assert without_secrets("https://a:b@c.org:1/d?e=f") == "https://c.org:1/d"
    assert without_secrets("no address?x") == "no address"
