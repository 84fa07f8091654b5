"""Pages in Chromium: until the first one can be used, and until a pass clicked away has moved."""

from __future__ import annotations

import os
from statistics import median

import httpx
import pytest
from playwright.sync_api import Browser

from tests.api.conftest import replayed
from tests.dashboard.conftest import browser, pages

__all__ = ["browser", "pages", "replayed"]
pytestmark = pytest.mark.bench
TOGGLES = 2 if os.environ.get("SKYTRUNK_BENCH_SMOKE") else 20
NAMES = ("today", "runway", "passes?satellite=micius", "plan", "network", "ledger", "jobs")

USABLE = """() => performance.getEntriesByType("navigation")[0].domInteractive"""
TOGGLE = """() => new Promise((resolve) => {
  const begun = performance.now();
  const seen = new MutationObserver(() => {
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
  });
  seen.observe(document.getElementById("main"), { childList: true });
  document.querySelector("[role=switch]").click();
})"""


def test_pages_come_and_bands_move(browser: Browser, pages: httpx.Client) -> None:
    print()
    for name in NAMES:
        context = browser.new_context(base_url=str(pages.base_url))  # nothing is cached
        sheet = context.new_page()
        sheet.goto(f"/ui/{name}")
        print(f"  /ui/{name}: usable after {sheet.evaluate(USABLE):.0f} ms")
        context.close()
    sheet = browser.new_context(base_url=str(pages.base_url)).new_page()
    sheet.goto("/ui/runway")
    took_ms = sorted(sheet.evaluate(TOGGLE) for _ in range(TOGGLES))
    print(
        f"  a pass clicked away or back, {TOGGLES} times: painted after {median(took_ms):.0f} ms in"
        f" the median, {took_ms[-1]:.0f} ms at most"
    )
