"""Fresh element sets from a general-perturbations (GP) endpoint; nobody asks one by default."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from orbits import Elements, ElementsError, read_elements
from scheduler.errors import FeedError, SettingsError

if TYPE_CHECKING:
    import httpx

PLACEHOLDER = "{norad_id}"
ALLOWED = (
    "allowed: the http or https address of a GP endpoint, to which CATNR and FORMAT=json are"
    f" added (https://celestrak.org/NORAD/elements/gp.php), or one that holds {PLACEHOLDER}"
)
USER_AGENT = "skytrunk/0.1 (element sets of the configured satellites)"
REDIRECTS_MAX = 3
_CHUNK_BYTES = 65_536
_PORTS = {"http": 80, "https": 443}


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

    def fetch(self, norad_ids: Iterable[int]) -> tuple[Elements, ...]:
        """Fetch the sets of some satellites, one after the other; all of them or an error.

        Raises FeedError if the endpoint does not answer in time, answers too much, leads to
        another host, or gives anything but sets of the satellite asked for.
        """
        import httpx

        # No compression: a small answer must not unfold into a large one.
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        with httpx.Client(timeout=self.timeout_s, headers=headers) as client:
            return tuple(item for number in norad_ids for item in self._sets(client, number))

    def _sets(self, client: httpx.Client, norad_id: int) -> tuple[Elements, ...]:
        address = self.address(norad_id)
        place = without_secrets(address)
        text = self._text(client, address, norad_id)
        try:
            found = read_elements(text, source=place)
        except ElementsError as error:
            raise FeedError(f"{place} gave no element set of {norad_id}: {error}") from error
        strangers = sorted({item.norad_id for item in found} - {norad_id})
        if strangers:
            raise FeedError(f"{place} was asked for satellite {norad_id} and gave {strangers[0]}")
        return found

    def _text(self, client: httpx.Client, address: str, norad_id: int) -> str:
        place = without_secrets(address)
        until = self.stopwatch() + self.timeout_s
        for _ in range(REDIRECTS_MAX + 1):
            with _asked(client, address) as answer:
                if answer.has_redirect_location:
                    address = _next(address, answer.headers["location"])
                    continue
                if answer.status_code != 200:
                    raise FeedError(
                        f"{place} answered {answer.status_code} {answer.reason_phrase}"
                        f" for satellite {norad_id}"
                    )
                return self._read(answer, place, until)
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


@contextmanager
def _asked(client: httpx.Client, address: str) -> Iterator[httpx.Response]:
    """One answer, its body not read yet; failures on the way as FeedError."""
    import httpx

    try:
        with client.stream("GET", address) as answer:
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
