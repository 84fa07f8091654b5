"""The examples from which research starts, at small size: each runs and says what it is for."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from scheduler.sources.scenarios import load_scenario

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("micius_campaign", ["--days", "1"], r"12-19 16:48 xinglong  47\.8 deg: .* bits foretold"),
        ("intercontinental", ["--days", "1"], r"graz: \d+ sessions of \d+ dark passes"),
        pytest.param(
            "integrated",
            ["--days", "0.05"],
            r"xinjiang: \d+ of 163 pairs with key",
            marks=pytest.mark.walks,
        ),
        ("trunk", ["--hours", "1"], r"fairness \(Jain's index\): 1\.0000"),
        ("trunk", ["--scenario", "quantum-mesh", "--hours", "0.001"], r": 3\d relays, \d+ bits"),
        ("portable", ["--days", "1"], r"jinan-1: \d+ sessions, \d+ with key"),
        ("networks", ["ports", "jinan-1", "--days", "0.1"], r"\| `jinan-1` \| 1 \| 4 \| .*8640 s"),
    ],
)
def test_an_example_runs(
    name: str,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))

    importlib.import_module(name).main(arguments)

    assert re.search(says, capsys.readouterr().out)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "scenarios").iterdir()), ids=lambda p: p.stem)
def test_a_scenario_of_the_examples_reads_and_differs(path: Path) -> None:
    found = load_scenario(str(path))

    assert found.name == path.stem
    assert found != load_scenario("micius-2016")
    assert any("synthetic" in note for note in found.notes)
