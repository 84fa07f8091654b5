"""The reference page is what the tables say."""

from pathlib import Path

from scheduler.network.page import scenario_page

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_in_the_documents_is_the_one_that_is_made() -> None:
    assert (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8") == scenario_page()
