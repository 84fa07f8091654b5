"""Pictures of every page, light, dark and on a phone: `make screenshots`.

A week of Micius is replayed, the next is planned, and the clock stands at noon of its first day.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import run_skytrunk, serving

NOW = datetime(2016, 12, 21, 12, tzinfo=UTC)
PASSES = "satellite=micius&station=xinglong&from=2016-12-21&to=2016-12-24"
PAGES = {
    "today": "/ui/today",
    "runway": "/ui/runway",
    "passes": "/ui/passes?satellite=micius&station=xinglong&from=2016-12-21&days=3&forecast=true",
    "plan": "/ui/plan",
    "network": "/ui/network?demand=nanshan--shanghai",
    "ledger": "/ui/ledger",
    "replay": "/ui/replay",
    "jobs": "/ui/jobs",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1200, "height": 800}},
    "dark": {"viewport": {"width": 1200, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}, "device_scale_factor": 2},
}


def main(out: Path, looks: list[str]) -> None:
    """Write PAGE-LOOK.png for each into a folder, all looks unless some are named."""
    out.mkdir(parents=True, exist_ok=True)
    browser_path = shutil.which("chromium")
    if browser_path is None:
        raise SystemExit("no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = f"sqlite:///{folder / 'pages.db'}"
        for arguments in (
            ("replay", "--from", "2016-12-15", "--to", "2016-12-21"),
            ("plan", "make", "--from", "2016-12-21", "--to", "2016-12-28", "--at", "2016-12-21"),
        ):
            done = run_skytrunk(folder, "--database", database, *arguments)
            if done.returncode:
                raise SystemExit(done.stderr)
        settings = load_settings(database_url=database, replays_folder=folder / "replays")
        with Context(settings, clock=SimulatedClock(NOW)) as context:
            secret = services.add_token(context, name="olga", role="operator", days=1)[1]
        with serving(settings, SimulatedClock(NOW)) as client, sync_playwright() as playwright:
            # Root may not use Chromium's own sandbox; it loads pages of ours alone.
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox"]
            )
            bearing = {"authorization": f"Bearer {secret}"}
            _replay(client, bearing)
            rows = client.get(f"/passes?{PASSES}&forecast=true", headers=bearing).json()["passes"]
            row = max(rows, key=lambda one: int(one["secret_bits"]))["pass"]
            pages = PAGES | {
                "pass": f"{PAGES['passes']}&pass={row}",
                "chosen": f"/ui/plan?pass={row}",
            }
            for look in looks or LOOKS:
                options = LOOKS[look]
                context = browser.new_context(base_url=str(client.base_url), **options)
                page = context.new_page()
                page.goto("/ui/sign-in")
                page.screenshot(path=out / f"sign-in-{look}.png", full_page=True)
                page.get_by_label("Token").fill(secret)
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url("**/ui/today")
                for title, address in pages.items():
                    page.goto(address)
                    page.screenshot(path=out / f"{title}-{look}.png", full_page=True)
                context.close()
            browser.close()


def _replay(client: httpx.Client, bearing: dict[str, str]) -> None:
    """Have a day replayed, so that the page has one to show."""
    body = {"from": "2016-12-19", "to": "2016-12-20"}
    name = client.post("/replays", json=body, headers=bearing).json()["replay"]
    while client.get(f"/replays/{name}", headers=bearing).json()["state"] == "running":
        time.sleep(0.5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
