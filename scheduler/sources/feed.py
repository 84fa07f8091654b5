"""Fresh element sets from a general-perturbations (GP) endpoint, asked for by hand alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from orbits import Elements, ElementsError, Reading, iso_utc, read_bulletin
from scheduler.errors import FeedError, SettingsError
from scheduler.sources.feed_cache import POLITE, FeedCache, KeptAnswer

if TYPE_CHECKING:
    import httpx

PLACEHOLDER = "{norad_id}"
ALLOWED = (
    "allowed: the http or https address of a GP endpoint, to which CATNR and FORMAT=json are"
    f" added (https://celestrak.org/NORAD/elements/gp.php), or one that holds {PLACEHOLDER}"
)
USER_AGENT = "skytrunk/0.1 (element sets of the configured satellites)"
REDIRECTS_MAX = 3
WORDS_MAX = 300
"""Letters of an endpoint's own words that are shown."""
# How providers say it with a 403: "Data has not changed ...", "GP data has not updated since ...".
_NOTHING_NEW = re.compile(r"\bnot (been )?(changed|updated)|nothing new|no new", re.IGNORECASE)
_EVER = datetime(1957, 1, 1, tzinfo=UTC)
_CHUNK_BYTES = 65_536
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAnswer:
    """What came of asking for one satellite."""

    norad_id: int
    elements: tuple[Elements, ...] = ()
    skipped: tuple[str, ...] = ()  #: what else was in the answer
    unchanged: str = ""  #: why nothing newer came; the sets are then those of before, if kept
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """An endpoint that answers with the element sets of one satellite as OMM or TLE text.

    Raises SettingsError unless `url` is an http or https address without a password in it.
    """

    url: str
    timeout_s: float = 20.0  #: of a whole answer
    bytes_max: int = 10_000_000  #: of one answer
    stopwatch: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            sound = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or "@" in parts.netloc or any(char.isspace() for char in self.url):
            raise SettingsError(f"setting elements_url {without_secrets(self.url)!r}; {ALLOWED}")

    def address(self, norad_id: int) -> str:
        """Where the sets of a satellite are asked for."""
        if PLACEHOLDER in self.url:
            return self.url.replace(PLACEHOLDER, str(norad_id))
        parts = urlsplit(self.url)
        asked = urlencode({"CATNR": norad_id, "FORMAT": "json"})
        query = f"{parts.query}&{asked}" if parts.query else asked
        return urlunsplit(parts._replace(query=query, fragment=""))

    def ask(
        self, norad_ids: Iterable[int], *, at: datetime, cache: FeedCache | None = None
    ) -> list[FeedAnswer]:
        """Ask for some satellites, one after the other, and return what came of each.

        What a satellite's answer is never depends on another's, but when nobody answers at all
        the rest is not asked. With a `cache`, an address is asked once in POLITE, and then only
        for what is new.

        A failure is an endpoint that does not answer in time, answers too much, leads to another
        host, or gives anything but sets of the satellite asked for.
        """
        import httpx

        # No compression: a small answer must not unfold into a large one.
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        answers: list[FeedAnswer] = []
        away = False
        with httpx.Client(timeout=self.timeout_s, headers=headers) as client:
            for number in norad_ids:
                if away:
                    answers.append(
                        FeedAnswer(norad_id=number, failure=f"{number} was not asked for")
                    )
                    continue
                try:
                    answers.append(self._answer(client, number, at, cache))
                except FeedError as error:
                    away = isinstance(error.__cause__, httpx.TransportError)
                    answers.append(FeedAnswer(norad_id=number, failure=str(error)))
        return answers

    def _answer(
        self, client: httpx.Client, norad_id: int, at: datetime, cache: FeedCache | None
    ) -> FeedAnswer:
        address = self.address(norad_id)
        kept = cache.get(address) if cache else None
        if kept is not None and kept.is_fresh(at):
            asked = kept.asked_at.replace(microsecond=0)
            again = asked + POLITE
            text = (
                f"{norad_id} was asked for at {iso_utc(asked)}, and is not before {iso_utc(again)}"
            )
            return self._kept(norad_id, kept, text)
        answered = self._answer_of(client, address, norad_id, kept)
        if isinstance(answered, str):
            if kept is None:
                return FeedAnswer(norad_id=norad_id, unchanged=answered)
            fresh, unchanged = replace(kept, asked_at=at), answered
        else:
            fresh, unchanged = replace(answered, asked_at=at), ""
        answer = self._kept(norad_id, fresh, unchanged)
        if cache:
            cache.put(address, fresh)
        return answer

    def _kept(self, norad_id: int, kept: KeptAnswer, unchanged: str) -> FeedAnswer:
        found = self._reading(kept.text, norad_id)
        return FeedAnswer(
            norad_id=norad_id,
            elements=found.elements,
            skipped=found.skipped,
            unchanged=unchanged,
        )

    def _reading(self, text: str, norad_id: int) -> Reading:
        place = without_secrets(self.address(norad_id))
        try:
            found = read_bulletin(text, source=place)
        except ElementsError as error:
            raise FeedError(f"{place} gave no element set of {norad_id}: {error}") from error
        strangers = sorted({item.norad_id for item in found.elements} - {norad_id})
        if strangers:
            raise FeedError(f"{place} was asked for satellite {norad_id} and gave {strangers[0]}")
        return found

    def _answer_of(
        self, client: httpx.Client, address: str, norad_id: int, kept: KeptAnswer | None
    ) -> KeptAnswer | str:
        """What the endpoint answers; or, if there is nothing new, its words."""
        place = without_secrets(address)
        until = self.stopwatch() + self.timeout_s
        conditions = kept.conditions if kept else {}
        for _ in range(REDIRECTS_MAX + 1):
            with _response(client, address, conditions) as answer:
                if answer.has_redirect_location:
                    address = _next(address, answer.headers["location"])
                    continue
                if answer.status_code == 304 and kept is not None:
                    return f"{place} has nothing newer of {norad_id}"
                if answer.status_code != 200:
                    status = f"{answer.status_code} {answer.reason_phrase}"
                    words = _words(self._read(answer, place, until))
                    message = f"{place} answered {status} for satellite {norad_id}"
                    message += f": {words}" if words else ""
                    if answer.status_code == 403 and _NOTHING_NEW.search(words):
                        return message
                    raise FeedError(message)
                return KeptAnswer(
                    asked_at=_EVER,
                    text=self._read(answer, place, until),
                    etag=answer.headers.get("etag", ""),
                    last_modified=answer.headers.get("last-modified", ""),
                )
        raise FeedError(f"{place} leads on more than {REDIRECTS_MAX} times")

    def _read(self, answer: httpx.Response, place: str, until: float) -> str:
        """The text of an answer, read no further than the limits of size and time allow."""
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise FeedError(f"{place} answered compressed, which was not asked for")
        body = bytearray()
        for chunk in answer.iter_raw(_CHUNK_BYTES):
            body += chunk
            if len(body) > self.bytes_max:
                raise FeedError(f"{place} answered with more than {self.bytes_max} bytes")
            if self.stopwatch() > until:
                raise FeedError(f"{place} did not finish within {self.timeout_s:g} s")
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FeedError(f"{place}: byte {error.start} of the answer is not UTF-8") from error


def _words(body: str) -> str:
    """What an endpoint says of a refusal, as one short printable line."""
    line = " ".join(body.split())
    shown = "".join(char for char in line if char.isprintable())
    return shown if len(shown) <= WORDS_MAX else f"{shown[:WORDS_MAX]}..."


@contextmanager
def _response(
    client: httpx.Client, address: str, conditions: Mapping[str, str]
) -> Iterator[httpx.Response]:
    """One answer, its body not read yet; failures on the way as FeedError."""
    import httpx

    try:
        with client.stream("GET", address, headers=dict(conditions)) as answer:
            yield answer
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise FeedError(f"no answer from {without_secrets(address)}: {reason}") from error


def _next(address: str, location: str) -> str:
    """Where a redirect leads, if it stays on its host and as safe as it was."""
    target = urljoin(address, location)
    try:
        stays = _may_follow(address, target)
    except ValueError:
        stays = False
    if not stays:
        raise FeedError(
            f"{without_secrets(address)} leads to {without_secrets(target)};"
            " allowed: the same host, and never from https to http"
        )
    return target


def _may_follow(address: str, target: str) -> bool:
    here, there = urlsplit(address), urlsplit(target)
    if "@" in there.netloc or here.hostname != there.hostname:
        return False
    ports = (here.port or _PORTS[here.scheme], there.port or _PORTS.get(there.scheme))
    upgrade = (here.scheme, there.scheme, *ports) == ("http", "https", 80, 443)
    return upgrade or (here.scheme == there.scheme and ports[0] == ports[1])


def without_secrets(address: str) -> str:
    """An address as it may be shown and stored: no query, no user, no password."""
    head, _, _ = address.partition("?")
    scheme, found, rest = head.partition("://")
    if not found:
        return head
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
