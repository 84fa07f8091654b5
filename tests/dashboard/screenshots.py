"""Pictures of every page, light, dark and on a phone: `make screenshots`.

A week of Micius is replayed, the next is planned, and the clock stands at noon of its first day.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from scheduler.clock import SimulatedClock
from scheduler.settings import load_settings
from tests.api.conftest import run_skytrunk, serving

NOW = datetime(2016, 12, 21, 12, tzinfo=UTC)
PAGES = {
    "today": "/ui/today",
    "runway": "/ui/runway",
    "passes": "/ui/passes?satellite=micius&station=xinglong&from=2016-12-21&days=3&forecast=true",
    "plan": "/ui/plan",
    "network": "/ui/network?demand=nanshan--shanghai",
    "ledger": "/ui/ledger",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1200, "height": 800}},
    "dark": {"viewport": {"width": 1200, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}, "device_scale_factor": 2},
}


def main(out: Path) -> None:
    """Write PAGE-LOOK.png for each into a folder."""
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
        settings = load_settings(database_url=database)
        with serving(settings, SimulatedClock(NOW)) as client, sync_playwright() as playwright:
            # Root may not use Chromium's own sandbox; it loads pages of ours alone.
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox"]
            )
            for look, options in LOOKS.items():
                context = browser.new_context(base_url=str(client.base_url), **options)
                page = context.new_page()
                for title, address in PAGES.items():
                    page.goto(address)
                    page.screenshot(path=out / f"{title}-{look}.png", full_page=True)
                context.close()
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
