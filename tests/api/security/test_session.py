"""Sessions of the pages: the cookie, what it opens, and what a change by it needs."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from api.security.session import COOKIE, csrf_of, secret_in_cookie
from scheduler import services
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings
from tests.api.conftest import serving

OUTAGE = {"kind": "station", "name": "nanshan", "from": "2030-01-01", "to": "2030-01-02"}
HTML = {"accept": "text/html"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(database_url=f"sqlite:///{tmp_path / 'skytrunk.db'}")


def give(settings: Settings, role: str) -> str:
    with Context(settings) as context:
        return services.add_token(context, name=f"a-{role}", role=role, days=30)[1]


def sign_in(http: httpx.Client, secret: str) -> str:
    """Sign in as the page does; the cookie stays with the client. Return the mark of forms."""
    answer = http.post("/session", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 200, answer.text
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert cookie.key == COOKIE
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    assert int(cookie["max-age"]) == 43_200
    assert cookie["domain"] == ""
    return str(answer.json()["csrf"])


def test_a_session_opens_what_its_token_opens_until_it_is_closed(settings: Settings) -> None:
    secret = give(settings, "operator")
    with serving(settings) as http:
        assert http.get("/ui/today").status_code == 401
        assert "Sign in" in http.get("/ui/sign-in").text
        csrf = sign_in(http, secret)
        page = http.get("/ui/today")
        assert page.status_code == 200
        assert "a-operator (operator)" in page.text
        assert secret not in page.text
        assert f'content="{csrf}"' in page.text
        assert http.get("/session").json()["role"] == "operator"
        assert http.delete("/session").status_code == 403
        assert http.delete("/session", headers={"X-CSRF-Token": csrf}).status_code == 204
        assert http.get("/ui/today").status_code == 401


def test_a_change_by_cookie_needs_the_mark_and_one_by_header_does_not(settings: Settings) -> None:
    secret = give(settings, "operator")
    with serving(settings) as http:
        csrf = sign_in(http, secret)
        for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": csrf[:-1]},
                      {"X-CSRF-Token": csrf_of("another")}):  # fmt: skip
            refused = http.post("/outages", json=OUTAGE, headers=wrong)
            assert refused.status_code == 403
        marked = {"X-CSRF-Token": csrf}
        foreign = http.post(
            "/outages", json=OUTAGE, headers={**marked, "origin": "https://evil.example"}
        )
        assert foreign.status_code == 403
        assert http.post("/outages", json=OUTAGE, headers=marked).status_code == 201
        http.cookies.clear()
        bearing = {"authorization": f"Bearer {secret}"}
        assert http.post("/outages", json=OUTAGE, headers=bearing).status_code == 201


def test_a_revoked_token_ends_its_sessions_and_leads_to_the_door(settings: Settings) -> None:
    secret = give(settings, "planner")
    with serving(settings) as http:
        sign_in(http, secret)
        assert http.get("/ui/plan").status_code == 200
        with Context(settings) as context:
            services.revoke_token(context, "a-planner")
        assert http.get("/ui/plan").status_code == 401
        led = http.get("/ui/plan?pass=x", headers=HTML)
        assert (led.status_code, led.headers["location"]) == (303, "/ui/sign-in?next=%2Fui%2Fplan")


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/ui/../x", "/ui/a?b"])
def test_the_door_leads_to_pages_of_ours_alone(settings: Settings, back: str) -> None:
    with serving(settings) as http:
        text = http.get("/ui/sign-in", params={"next": back}).text
    assert 'data-next="/ui/today"' in text


def test_without_tokens_pages_are_read_only_and_nobody_can_sign_in(settings: Settings) -> None:
    with serving(settings) as http:
        text = http.get("/ui/jobs").text
        assert "Read only" in text
        assert "data-act" not in text
        assert http.post("/session").status_code == 401
        assert http.get("/session").json() == dict.fromkeys(("name", "role", "expires_at", "csrf"))


def test_each_role_sees_the_forms_that_it_may_use(settings: Settings) -> None:
    secrets = {role: give(settings, role) for role in ("planner", "operator", "auditor")}
    with serving(settings) as http:
        for role, secret in secrets.items():
            bearing = {"authorization": f"Bearer {secret}"}
            jobs = http.get("/ui/jobs", headers=bearing).text
            replay = http.get("/ui/replay", headers=bearing).text
            assert ('data-act="/jobs/' in jobs) is (role == "operator")
            assert ('data-act="/replays"' in replay) is (role != "auditor")


@pytest.mark.parametrize(
    ("cookie", "secret"),
    [
        ("", None), ("a=b", None), (f"{COOKIE}=x", "x"), (f"a=b; {COOKIE}=x; c=d", "x"),
        (f"{COOKIE}=", ""), ("\x00=;;", None),
    ],
)  # fmt: skip
def test_what_a_cookie_holds(cookie: str, secret: str | None) -> None:
    assert secret_in_cookie({"cookie": cookie}) == secret
    assert secret_in_cookie({}) is None
