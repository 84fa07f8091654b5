"""The pages in a real browser: no word on the console, no request elsewhere, what clicks do."""

from __future__ import annotations

import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.test_pages import NAMES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(sheet: Page, name: str, scheme: str) -> None:
    sheet.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    sheet.goto(f"/ui/{name}")
    found = Axe().run(sheet)
    assert [one["id"] for one in found.response["violations"]] == []


@pytest.mark.parametrize("name", [*NAMES, "sign-in"])
def test_a_page_fits_a_phone(browser: Browser, pages: httpx.Client, name: str) -> None:
    context = browser.new_context(
        base_url=str(pages.base_url), viewport={"width": 390, "height": 800}
    )
    sheet = context.new_page()
    sheet.goto(f"/ui/{name}")
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 390
    beyond = """() => [...document.querySelectorAll("input, select, button, caption")]
      .filter((one) => !one.closest("thead, tbody"))
      .filter((one) => one.getBoundingClientRect().right > innerWidth - 8)
      .map((one) => one.outerHTML.slice(0, 80))"""
    assert sheet.evaluate(beyond) == []
    context.close()


def test_a_pass_clicked_away_moves_the_bands_and_comes_back(sheet: Page) -> None:
    sheet.goto("/ui/runway")
    toggle = sheet.get_by_role("switch").first
    before = sheet.locator("path.middle").first.get_attribute("d")
    toggle.click()
    expect(sheet.locator(".change").first).to_contain_text("without micius/")
    expect(sheet.get_by_role("switch").first).to_have_attribute("aria-checked", "false")
    assert "without=" in sheet.url
    assert sheet.locator("path.middle").first.get_attribute("d") != before
    sheet.get_by_role("switch").first.click()
    expect(sheet.locator(".change")).to_have_count(0)
    expect(sheet.get_by_role("switch").first).to_have_attribute("aria-checked", "true")


def test_the_keyboard_reaches_a_pass_and_keeps_its_place(sheet: Page) -> None:
    sheet.goto("/ui/runway")
    first = sheet.get_by_role("switch").first
    first.focus()
    sheet.keyboard.press("Enter")
    expect(sheet.locator(".change").first).to_be_visible()
    expect(sheet.get_by_role("switch").first).to_be_focused()


def test_columns_sort_by_number_and_by_word(sheet: Page) -> None:
    sheet.goto("/ui/passes?satellite=micius&from=2016-12-21&days=3")
    sheet.get_by_role("button", name="elevation°").click()
    cells = sheet.locator("tbody tr td:nth-child(7)").all_inner_texts()
    assert len(cells) > 10
    assert [float(cell) for cell in cells] == sorted(float(cell) for cell in cells)
    expect(sheet.locator("th[aria-sort=ascending]")).to_have_count(1)


def test_the_clock_is_the_servers(sheet: Page) -> None:
    sheet.goto("/ui/today")
    expect(sheet.locator("[data-clock]")).to_have_text(re.compile(r"2016-12-21 12:0\d:\d\d"))


def test_a_server_that_is_gone_is_said(browser: Browser, pages: httpx.Client) -> None:
    context = browser.new_context(base_url=str(pages.base_url))
    sheet = context.new_page()
    sheet.goto("/ui/runway")
    sheet.route("**/ui/runway?*", lambda route: route.abort())
    sheet.get_by_role("switch").first.click()
    expect(sheet.get_by_role("alert")).to_contain_text("does not answer")
    context.close()


MANY = """() => {
  const body = document.querySelector("table[data-sortable] tbody");
  const rows = [...body.rows];
  while (body.rows.length < 1000) body.append(rows[body.rows.length % rows.length].cloneNode(true));
  [...body.rows].forEach((row, index) => {
    for (const cell of row.cells) {
      if (cell.classList.contains("number")) cell.textContent = String((index * 7919) % 1000);
    }
  });
  return [...document.querySelectorAll("table[data-sortable] thead th")]
    .findIndex((cell) => cell.classList.contains("number"));
}"""
FIGURES = """(index) => [...document.querySelectorAll("table[data-sortable] tbody tr")]
  .map((row) => Number(row.cells[index].textContent))"""


def test_a_thousand_rows_are_sorted_first_things_first(sheet: Page) -> None:
    sheet.goto("/ui/passes?satellite=micius&from=2016-12-19&days=20")
    column = sheet.evaluate(MANY)
    button = sheet.locator("table[data-sortable] thead button").nth(column)

    button.click()
    first = sheet.evaluate(FIGURES, column)[:60]
    # Sorted anew before the last row of the first time came.
    button.click()
    button.click()
    rows = sheet.locator("table[data-sortable] tbody tr")
    expect(rows).to_have_count(1000)

    assert first == list(range(60))
    assert sheet.evaluate(FIGURES, column) == list(range(1000))
    assert sheet.locator("div.wide:has(table[data-sortable])").get_attribute("style") == ""
