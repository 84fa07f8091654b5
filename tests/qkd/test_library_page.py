"""The page on `qkd` as a library: its example runs, its names exist."""

import re
from pathlib import Path

import pytest

import qkd

PAGE = Path(__file__).parents[2] / "docs" / "library-qkd.md"


def test_the_example_runs_and_gives_key(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    scope: dict[str, object] = {}
    exec(compile(example, str(PAGE), "exec"), scope)

    key, best = scope["key"], scope["best"]
    assert isinstance(key, qkd.KeyLength)
    assert isinstance(best, qkd.Optimum)
    assert 0 < int(key.length_bits) < best.secret_bits
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_every_name_of_the_table_exists() -> None:
    table = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    names = {name for line in table for name in re.findall(r"`(\w+)[(`]", line.split("|")[1])}
    assert len(names) > 10
    assert names <= set(qkd.__all__)
