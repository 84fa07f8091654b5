"""How one answer goes out: which page of its list, and in which form."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Response
from fastapi import Request as HttpRequest
from starlette.exceptions import HTTPException

from api.export.csv import to_csv
from api.problems import problem_answers
from api.schemas.base import Answer, Listing, Paged
from orbits import OrbitsError, as_utc
from scheduler.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")
Key = tuple[str | int, ...]

MEDIA = {
    "json": "application/json",
    "csv": "text/csv",
    "ics": "text/calendar",
    "geojson": "application/geo+json",
    "czml": "application/czml+json",
}
"""Every form: how an address ends that asks for it, and its media type."""

FORM, ASKED = "skytrunk.form", "skytrunk.asked"
"""Keys of the scope: the form that the address asked for, and the address as it was asked."""


class BySuffix:
    """Takes the suffix of a form off an address, so that `/passes.csv` is `/passes` as CSV."""

    def __init__(self, app: ASGIApp, whole: Iterable[str]) -> None:
        """`whole` are the addresses that end so by themselves."""
        self._app = app
        self._whole = frozenset(whole)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] not in self._whole:
            path, _, suffix = scope["path"].rpartition(".")
            if suffix in MEDIA and path.strip("/"):
                raw = scope.get("raw_path", b"").rpartition(b".")[0] or path.encode()
                more = {"path": path, "raw_path": raw, FORM: suffix, ASKED: scope["path"]}
                scope = {**scope, **more}
        await self._app(scope, receive, send)


def forms_of(*forms: str, problems: Sequence[int] = ()) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that answers in these forms besides JSON."""
    is_text = {"csv", "ics"}
    content: dict[str, Any] = {
        MEDIA[form]: {"schema": {"type": "string" if form in is_text else "object"}}
        for form in forms
        if form != "czml"
    }
    if "czml" in forms:
        content[MEDIA["czml"]] = {"schema": {"type": "array", "items": {"type": "object"}}}
    return {200: {"content": content}, **problem_answers(406, *problems)}


class Reply:
    """One answer on its way out."""

    def __init__(self, request: HttpRequest, response: Response) -> None:
        self._request = request
        self._response = response

    def after(self, asked: Paged) -> Key | None:
        """Return where the page before ended; None for the first. Raises InputError."""
        if asked.cursor is None:
            return None
        try:
            found = json.loads(base64.urlsafe_b64decode(asked.cursor.encode() + b"=="))
            if not isinstance(found, list) or not all(type(one) in (str, int) for one in found):
                raise ValueError
        except (ValueError, binascii.Error, RecursionError):
            raise _no_cursor(asked) from None
        return tuple(found)

    def number_after(self, asked: Paged) -> int:
        """Return the number at which the page before ended; 0 for the first. Raises InputError."""
        after = self.after(asked) or (0,)
        if len(after) != 1 or not isinstance(after[0], int) or not 0 <= after[0] < 2**63:
            raise _no_cursor(asked)
        return after[0]

    def instant_after(self, asked: Paged) -> tuple[datetime, str] | None:
        """Return the instant and id at which the page before ended. Raises InputError."""
        after = self.after(asked)
        if after is None:
            return None
        try:
            at, name = after
            return as_utc(datetime.fromisoformat(str(at))), str(name)
        except (ValueError, OrbitsError):
            raise _no_cursor(asked) from None

    def page(
        self,
        asked: Paged,
        rows: Iterable[T],
        key: Callable[[T], Key],
        *,
        newest: bool = False,
        sought: bool = False,
    ) -> list[T]:
        """Return the rows of one page, and say in the header Link where the next one is.

        rows : in their order, at least one more than the page has where there is one
        newest : begin at the end; each page in its order, the next one is of earlier rows
        sought : whoever found the rows began behind the cursor; else they are in order of keys
        """
        after = self.after(asked)
        found = list(rows)
        if after is not None and found and not sought:
            if list(map(type, key(found[0]))) != list(map(type, after)):
                raise _no_cursor(asked)
            found = [row for row in found if (key(row) < after if newest else key(row) > after)]
        page = found[-asked.limit :] if newest else found[: asked.limit]
        if len(found) > len(page):
            self._link(key(page[0] if newest else page[-1]))
        return page

    def _link(self, last: Key) -> None:
        cursor = base64.urlsafe_b64encode(json.dumps(last).encode()).decode().rstrip("=")
        query = [one for one in self._request.query_params.multi_items() if one[0] != "cursor"]
        path = self._request.scope.get(ASKED, self._request.scope["path"])
        target = f"{path}?{urlencode([*query, ('cursor', cursor)])}"
        self._response.headers["Link"] = f'<{target}>; rel="next"'

    def form(self, *forms: str) -> str:
        """Return which of these forms is asked for, by suffix or by the header Accept.

        Raises HTTPException 406 if none is.
        """
        suffix = self._request.scope.get(FORM)
        if suffix in forms:
            return str(suffix)
        if suffix is None and (found := _accepted(self._request.headers.get("accept"), forms)):
            return found
        allowed = ", ".join(f".{form} ({MEDIA[form]})" for form in forms)
        raise HTTPException(406, f"no form that was asked for; allowed: {allowed}")

    def of(
        self,
        answer: Answer,
        *,
        rows: Sequence[Answer] | None = None,
        names: Sequence[str] | None = None,
        **makers: Callable[[], str],
    ) -> Answer | Response:
        """Return the answer in the form that was asked for.

        CSV is made of `rows`, those of a list if not given; `makers` write the other forms.
        """
        if rows is None and isinstance(answer, Listing):
            rows = answer.rows
        if rows is not None:
            kind_names = names or (rows[0].names() if rows else ())
            makers = {"csv": lambda: to_csv(rows, kind_names), **makers}
        form = self.form("json", *makers)
        if form == "json":
            return answer
        headers = {"Vary": "Accept"}
        if "link" in self._response.headers:
            headers["Link"] = self._response.headers["link"]
        return Response(makers[form](), media_type=MEDIA[form], headers=headers)


def _no_cursor(asked: Paged) -> InputError:
    return InputError(
        f"cursor {asked.cursor!r:.80}; allowed: what the header Link of the page before says"
    )


def _accepted(accept: str | None, forms: Sequence[str]) -> str | None:
    """Return the form of the media type that is wanted most; the first one for any."""
    wanted: list[tuple[float, int, str]] = []
    for number, part in enumerate((accept or "*/*").split(",")):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            wanted.append((-float(quality), number, kind))
        except ValueError:
            continue
    for below, _, kind in sorted(wanted):
        for form in forms if below < 0.0 else ():
            group = MEDIA[form].partition("/")[0]
            if kind in {MEDIA[form], f"{group}/*", "*/*"}:
                return form
    return None


async def _reply(request: HttpRequest, response: Response) -> Reply:
    return Reply(request, response)


ReplyDependency = Annotated[Reply, Depends(_reply)]
"""For every route that answers with a list, or in several forms."""
