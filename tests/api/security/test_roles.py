"""Who may do what on the management API, on a real server."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app, routes_of
from api.security.roles import (
    ANYBODY,
    CALENDAR,
    READ,
    ROLES,
    is_loopback,
    secret_in,
)  # fmt: skip
from scheduler import services
from scheduler.domain import Role
from scheduler.errors import InputError, UnknownName
from scheduler.ledger import open_view
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings
from tests.api.conftest import Command, serving


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(database_url=f"sqlite:///{tmp_path / 'skytrunk.db'}")


def give(settings: Settings, role: str, *, days: int = 30) -> str:
    """A token of that role; its secret."""
    with Context(settings) as context:
        return services.add_token(
            context, name=f"the {role}".replace(" ", "-"), role=role, days=days
        )[1]


def bearing(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_every_route_has_its_roles_and_every_row_a_route(settings: Settings) -> None:
    routes = {
        f"{method} {route.path}"
        for route in routes_of(create_app(settings))
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert routes == set(ROLES)


def test_a_handler_that_was_not_decided_on_does_not_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.app.routes_of", lambda app: [])
    with serving(settings) as http:
        for method, path in (("GET", "/satellites"), ("POST", "/outages"), ("GET", "/docs")):
            body = {"json": {}} if method == "POST" else {}
            assert http.request(method, path, **body).status_code == 403


def test_no_change_is_for_everybody() -> None:
    # A session is a browser's own: opening and closing it changes nothing of the network.
    session = {"POST /session", "DELETE /session"}
    changing = {
        name: roles
        for name, roles in ROLES.items()
        if not name.startswith("GET ") and name not in session
    }

    assert changing
    for roles in changing.values():
        assert roles not in (READ, CALENDAR, ANYBODY)
        assert Role.AUDITOR not in roles
        assert Role.CALENDAR not in roles
        assert Role.ADMIN in roles
    assert [name for name, roles in ROLES.items() if roles is ANYBODY] == [
        "GET /health", "GET /problems", "GET /problems/{kind}", "GET /ui/sign-in",
        "GET /ui/static/{name}",
    ]  # fmt: skip


PATHS = {
    "{name}": "page.js",
    "{kind}": "not-found",
    "{plan_id}": "p",
    "{booking_id}": "0" * 8 + "-0000-4000-8000-" + "0" * 12,
    "{key_id}": "k",
    "{replay_id}": "none",
    "{satellite}": "micius",
    "{station}": "nanshan",
    "{pass_id:path}": "micius/nanshan/2016-12-19T12:00Z",
    "{outage_id:path}": "outage/none",
}


def test_each_role_gets_in_where_it_may_and_nowhere_else(settings: Settings) -> None:
    secrets = {role: give(settings, role) for role in Role}
    with serving(settings) as http:
        for name, roles in ROLES.items():
            method, _, path = name.partition(" ")
            for shown, real in PATHS.items():
                path = path.replace(shown, real)
            body: dict[str, Any] = {"json": {}} if method == "POST" else {}
            if name == "GET /events":  # which would never end
                path += "?follow=false"
            for role, secret in secrets.items():
                http.cookies.clear()
                status = http.request(method, path, headers=bearing(secret), **body).status_code
                may = role in roles or roles is ANYBODY
                assert (status == 403) is not may, (name, role, status)
                assert status not in {401, 500}
            http.cookies.clear()  # whoever opened a session has its cookie
            nobody = http.request(method, path, **body)
            assert (nobody.status_code == 401) is (roles is not ANYBODY), name
            if roles is not ANYBODY:
                assert nobody.headers["www-authenticate"].startswith("Bearer")
                assert nobody.json()["status"] == 401


def test_without_any_token_this_machine_may_do_everything(settings: Settings) -> None:
    with serving(settings) as http:
        assert http.get("/satellites").status_code == 200
        assert http.get("/nowhere").status_code == 404
        # as a page does whose name was pointed at this address
        for host in ("evil.example", "127.0.0.1.evil.example", "", "10.0.0.1:80"):
            assert http.get("/satellites", headers={"host": host}).status_code == 403
        for foreign in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert http.post("/outages", json={}, headers=foreign).status_code == 403
        own = {"origin": str(http.base_url), "sec-fetch-site": "same-origin"}
        assert http.post("/outages", json={}, headers=own).status_code == 422


def test_elsewhere_than_on_loopback_nobody_gets_in_without_a_token(settings: Settings) -> None:
    settings = settings.model_copy(update={"host": "0.0.0.0"})
    with serving(settings) as http:
        assert http.get("/health").status_code == 200
        refused = http.get("/satellites")
        assert refused.status_code == 401
        assert "skytrunk token add" in refused.json()["detail"]
        assert http.get("/nowhere").status_code == 401
        secret = give(settings, "auditor")
        assert http.get("/satellites", headers=bearing(secret)).status_code == 200
        assert http.get("/nowhere", headers=bearing(secret)).status_code == 404


def test_from_the_first_token_on_everybody_needs_one_even_if_none_counts(
    settings: Settings,
) -> None:
    with serving(settings) as http:
        assert http.get("/satellites").status_code == 200
        secret = give(settings, "planner")
        assert http.get("/satellites").status_code == 401
        assert http.get("/satellites", headers=bearing(secret)).status_code == 200
        with Context(settings) as context:
            services.revoke_token(context, "the-planner")
        assert http.get("/satellites", headers=bearing(secret)).status_code == 401
        assert http.get("/satellites").status_code == 401


def test_a_token_ends_when_it_was_said_to(settings: Settings) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]

    class Told:
        def now(self) -> datetime:
            return now[0]

    with Context(settings, clock=Told()) as context:
        token, secret = services.add_token(context, name="x", role="admin", days=1)
        assert services.bearer_of(context, secret) == token
        now[0] += timedelta(days=1) - timedelta(milliseconds=1)
        assert services.bearer_of(context, secret) == token
        now[0] += timedelta(milliseconds=1)
        with pytest.raises(Exception, match="does not count"):
            services.bearer_of(context, secret)


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"anyone:{secret}".encode()).decode()


SHOWN = [
    ("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Bearer", ""), ("abc", ""), ("", ""),
    ("Digest abc", ""), (_basic("a:b"), "a:b"), ("Basic !!", ""), ("Basic /w==", ""),
]  # fmt: skip


@pytest.mark.parametrize(("header", "secret"), SHOWN)
def test_a_secret_is_a_bearer_token_or_a_password(header: str, secret: str) -> None:
    assert secret_in({"authorization": header}) == secret
    assert secret_in({}) is None


WRONG = ["x", "skytrunk_", "skytrunk_" + "A" * 43, "skytrunk_" + "A" * 42, "' OR 1=1 --", "é"]


def test_no_other_secret_opens_anything(settings: Settings) -> None:
    secret = give(settings, "admin")
    with serving(settings) as http:
        for wrong in (*WRONG, secret[:-1], secret + "A", secret.upper(), secret[9:]):
            headers = [(b"authorization", b"Bearer " + wrong.encode())]
            assert http.get("/satellites", headers=headers).status_code == 401, wrong
        assert http.get("/satellites", headers={"authorization": _basic(secret)}).status_code == 200


def test_a_token_may_ask_so_often(settings: Settings) -> None:
    settings = settings.model_copy(update={"requests_per_s": 1.0})
    secret = give(settings, "admin")
    other = give(settings, "auditor")
    with serving(settings) as http:
        answers = [http.get("/stations", headers=bearing(secret)) for _ in range(4)]
        assert [one.status_code for one in answers][:3] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "1"
        assert http.get("/stations", headers=bearing(other)).status_code == 200
        guesses = [http.get("/stations", headers=bearing("x")).status_code for _ in range(4)]
        assert guesses[:3] == [401, 401, 429]


def test_the_ledger_says_who_asked_for_a_change_and_never_a_secret(settings: Settings) -> None:
    secrets = [give(settings, role) for role in ("auditor", "operator")]
    with serving(settings) as http:
        statuses = [
            http.post("/outages", json={"kind": "x"}, headers=bearing(one)).status_code
            for one in secrets
        ]
    with open_view(settings.database_url) as view:
        report = view.verify()
        exported = "\n".join(view.export_lines())

    assert statuses == [403, 422]
    assert report.ok, report.problems
    assert exported.count("POST /outages") == 2
    for secret in secrets:
        assert secret not in exported
        assert secret[9:] not in exported


def test_tokens_from_the_command_line(skytrunk: Command) -> None:
    added = skytrunk("token", "add", "anna", "--role", "operator")
    secret = added.stdout.strip()
    listed = skytrunk("token", "list")
    revoked = skytrunk("token", "revoke", "anna")

    assert added.returncode == 0
    assert len(secret) == 52
    assert "anna" in listed.stdout
    assert secret not in listed.stdout + listed.stderr + added.stderr
    assert revoked.stdout.startswith("revoked the token ")
    assert skytrunk("token", "revoke", "anna").returncode == 2
    assert '"revoked": true' in skytrunk("token", "list", "--json").stdout
    assert skytrunk("ledger", "verify").returncode == 0


@pytest.mark.parametrize(
    ("name", "role", "days", "words"),
    [
        ("", "admin", 1, "name ''"),
        ("a b", "admin", 1, "name 'a b'"),
        ("x" * 65, "admin", 1, "1 to 64"),
        ("a", "root", 1, "planner, operator, auditor, admin, calendar"),
        ("a", "admin", 0, "days 0"),
        ("a", "admin", 367, "1 to 366"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    settings: Settings, name: str, role: str, days: int, words: str
) -> None:
    with Context(settings) as context:
        with pytest.raises(InputError) as refused:
            services.add_token(context, name=name, role=role, days=days)
        assert words in str(refused.value)
        context.ledger.checkpoint(datetime.now(UTC))
        with pytest.raises(UnknownName):
            services.revoke_token(context, "nobody")


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        ("a.localhost", True), ("LOCALHOST", True), ("0.0.0.0", False), ("::", False), ("", False),
        ("10.0.0.1", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False),
    ],
)  # fmt: skip
def test_what_is_loopback(host: str, is_one: bool) -> None:
    assert is_loopback(host) is is_one


def test_a_token_of_an_operator_sees_its_sessions_alone(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "scheduler" / "scenarios" / "micius-2016.toml"
    file = tmp_path / "shared.toml"
    file.write_text(
        shipped.read_text("utf-8").replace('id = "nanshan"\n', 'id = "nanshan"\nowner = "theirs"\n')
        + '\n[[operators]]\nid = "ours"\nname = "Ours"\nsatellites = ["micius"]\n'
        + '\n[[operators]]\nid = "theirs"\nname = "Theirs"\ntokens = ["the-operator"]\n'
        + '\n[[shares]]\nstation = "nanshan"\noperator = "ours"\nsessions_per_day = 5\n',
        encoding="utf-8",
    )
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'shared.db'}", scenario=str(file))
    start = datetime(2016, 12, 19, tzinfo=UTC)
    with Context(settings) as context:
        services.plan_by_hand(context, start=start, end=start + timedelta(days=1), at=start)
    all_of_them = bearing(give(settings, "admin"))
    theirs = bearing(give(settings, "operator"))
    with serving(settings) as http:
        every = http.get("/bookings", headers=all_of_them).json()["bookings"]
        seen = http.get("/bookings", headers=theirs).json()["bookings"]
        mine = seen[0]["booking"]
        refused = http.post(
            f"/bookings/{mine}/cancel", headers=theirs, json={"reason": "it is cloudy"}
        )

    assert {one["station"] for one in seen} == {"nanshan"}
    assert len(every) > len(seen)
    assert refused.status_code == 403
    assert "micius is of ours" in refused.json()["detail"]
