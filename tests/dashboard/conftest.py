"""A server on a planned week, by a clock that stands in it; a browser for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scheduler.clock import SimulatedClock
from scheduler.settings import load_settings
from tests.api.conftest import Replayed, replayed, run_skytrunk, serving

__all__ = ["replayed"]

NOW = datetime(2016, 12, 21, 12, tzinfo=UTC)
PLANNED = ("--from", "2016-12-21", "--to", "2016-12-24", "--at", "2016-12-21")


@pytest.fixture(scope="session")
def pages(replayed: Replayed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server whose clock stands at noon of the first planned day."""
    folder = tmp_path_factory.mktemp("pages")
    replayed.copy_to(folder / "pages.db")
    url = f"sqlite:///{folder / 'pages.db'}"
    done = run_skytrunk(folder, "--database", url, "plan", "make", *PLANNED)
    assert done.returncode == 0, done.stderr
    with serving(load_settings(database_url=url), SimulatedClock(NOW)) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; where it is missing the tests are skipped, but not in CI."""
    path = next(
        (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
    )
    if path is None:
        assert os.environ.get("CI") != "true", "no Chromium: apt-get install chromium"
        pytest.skip("no Chromium on this machine")
    assert Path(path).exists()
    with sync_playwright() as playwright:
        # Root may not use Chromium's own sandbox; it loads pages of ours alone.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        expect.set_options(timeout=20_000)  # of a machine that does much else besides
        yield opened
        opened.close()


@pytest.fixture
def sheet(browser: Browser, pages: httpx.Client) -> Iterator[Page]:
    """An empty page that may ask our server and nobody else, and may not complain."""
    context = browser.new_context(base_url=str(pages.base_url))
    opened = context.new_page()
    faults: list[str] = []
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert faults == []
    assert [url for url in asked if not url.startswith(str(pages.base_url))] == []
