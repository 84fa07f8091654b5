"""Campaigns and results at the command line: what lies in the folders, and going on."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from api.export.frames import CellKind, columns_of
from api.report.results import RESULTS, results_page
from api.schemas.campaigns import Campaign
from scheduler.errors import InputError
from tests.api.conftest import NIGHT, ROOT, Command, Replayed

TOTAL = ("--vary", "objective=total")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_campaign_goes_on_where_it_stopped_and_takes_more(
    skytrunk: Command, tmp_path: Path
) -> None:
    night = ("--from", "2016-12-19T12:00Z", "--to", "2016-12-20T06:00Z")
    first = skytrunk("campaign", "out", *night, "--seeds", "1", *TOTAL, "--workers", "1")
    assert first.returncode == 0, first.stderr
    (run,) = (tmp_path / "out" / "runs").iterdir()
    written = run.read_bytes(), run.stat().st_mtime_ns

    more = skytrunk("campaign", "out", *night, "--seeds", "1-2", *TOTAL, "--json")

    assert more.returncode == 0, more.stderr
    assert "1 of 2 replays are done already" in more.stderr
    assert (run.read_bytes(), run.stat().st_mtime_ns) == written
    answer = json.loads(more.stdout)
    assert [one["seed"] for one in answer["runs"]] == [1, 2]
    bits = [one["secret_bits"] for one in answer["runs"]]
    (secret,) = (one for one in answer["figures"] if one["figure"] == "secret_bits")
    assert secret["mean"] == sum(bits) / 2
    assert min(bits) <= secret["low"] <= secret["median"] <= secret["high"] <= max(bits)
    assert [one["secret_bits"] for one in rows(tmp_path / "out" / "runs.csv")] == list(
        map(str, bits)
    )

    other = skytrunk("campaign", "out", *night[:3], "2016-12-20T07:00Z", "--seeds", "1", *TOTAL)
    assert other.returncode == 2
    assert "a replay objective=total_seed=1 that differs in to; allowed: the same" in other.stderr
    assert json.loads((tmp_path / "out" / "campaign.json").read_text()).keys() == {
        "objective=total_seed=1", "objective=total_seed=2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seeds", "3-1"), "seeds '3-1'; allowed: up to 10000, the lower one first"),
        (("--seeds", "x"), "seeds 'x'; allowed: whole numbers and spans"),
        (("--vary", "objective"), "vary 'objective'; allowed: NAME=V1,V2"),
        (("--vary", "database_url=x"), "allowed: NAME=V1,V2 of a setting other than database_url"),
        (("--vary", "objectiv=total"), "setting objectiv is no setting"),
        (("--vary", "objective=best"), "setting objective"),
        (("--format", "xls"), "format 'xls'; allowed: csv, parquet"),
        (("--cluster", "tcp://nowhere"), "cluster 'tcp://nowhere'; allowed: local:N"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    skytrunk: Command, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = skytrunk("campaign", "out", *NIGHT, *arguments)

    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def document(seed: int, secret_bits: int, pairs: dict[str, int]) -> dict[str, Any]:
    none = dict.fromkeys(("passes", "dark", "booked", "settled", "sifted_bits", "merges"), 0)
    instant = datetime(2017, 1, 1, tzinfo=UTC).isoformat()
    return {
        **none,
        "scenario": "x", "seed": seed, "from": instant, "to": instant, "planner": "lp",
        "objective": "demand", "continued": False, "secret_bits": secret_bits,
        "merged_bits": sum(pairs.values()), "stations": {}, "refusals": {}, "sessions": [],
        "reliability": [], "unplanned": [], "elements_used": [], "waiting": [], "waiting_bits": 0,
        "ledger_problems": [],
        "pairs": {
            name: {"node_a": "a", "node_b": name, "merges": 1, "merged_bits": bits}
            for name, bits in pairs.items()
        },
        "balances": {"pools": {}, "totals": {}, "waiting_bits": 0},
    }  # fmt: skip


def test_changes_are_those_of_the_same_seed_against_the_first_variant() -> None:
    found = Campaign.of(
        [("few", document(seed, 100 * seed, {"p": 10})) for seed in (1, 2, 3)]
        + [("many", document(seed, 150 * seed, {})) for seed in (3, 2, 1)]
    )

    shown = {(one.variant, one.figure): one for one in found.figures}
    many = shown["many", "secret_bits"]
    assert (many.change, many.change_low, many.change_high) == (50.0, 50.0, 50.0)
    assert shown["few", "secret_bits"].change is None
    assert shown["many", "merged_bits p"].change == -100.0
    assert shown["few", "secret_bits"].median == 200.0


def test_variants_are_held_against_those_that_are_named() -> None:
    bits = {"base": 100, "more": 150, "other base": 200, "other": 220}
    found = Campaign.of(
        [(name, document(1, count, {})) for name, count in bits.items()], {"other": "other base"}
    )

    shown = {one.variant: one for one in found.figures if one.figure == "secret_bits"}
    assert {name: (one.against, one.change) for name, one in shown.items()} == {
        "base": ("base", None), "more": ("base", 50.0), "other base": ("base", 100.0),
        "other": ("other base", 10.0),
    }  # fmt: skip


def test_campaigns_side_by_side_hold_each_variant_against_its_own_first(
    skytrunk: Command, tmp_path: Path
) -> None:
    for name, bits_of in {"one": {"z": 200, "a": 300}, "two": {"b": 400, "a": 100}}.items():
        (tmp_path / name / "runs").mkdir(parents=True)
        names = {f"way={way}_seed=1": bits for way, bits in bits_of.items()}
        (tmp_path / name / "campaign.json").write_text(json.dumps(names))
        for run, bits in names.items():
            file = tmp_path / name / "runs" / f"{run}.json"
            file.write_text(json.dumps(document(1, bits, {})), encoding="utf-8")

    done = skytrunk("compare", "one", "two", "--json")

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert [
        (one["variant"], one["against"], one["change"])
        for one in figures
        if one["figure"] == "secret_bits"
    ] == [
        ("one way=z", "one way=z", None),
        ("one way=a", "one way=z", 50.0),
        ("two way=b", "one way=z", 100.0),
        ("two way=a", "two way=b", -75.0),
    ]


def test_a_replay_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InputError, match="two replays of few_seed=1_2017-01-01; allowed: each"):
        Campaign.of([("few", document(1, 1, {})), ("few", document(1, 2, {}))])


def test_written_replays_are_compared(skytrunk: Command, tmp_path: Path) -> None:
    for name, bits in (("one", 200), ("other", 300)):
        (tmp_path / name / "runs").mkdir(parents=True)
        file = tmp_path / name / "runs" / "seed=1.json"
        file.write_text(json.dumps(document(1, bits, {})), encoding="utf-8")

    done = skytrunk("compare", "one", "other")
    alone = skytrunk("compare", "one")
    nothing = skytrunk("compare", "one", "two")
    without = skytrunk("compare")

    assert done.returncode == 0, done.stderr
    (line,) = [
        one for one in done.stdout.splitlines() if one.split()[:2] == ["other", "secret_bits"]
    ]
    assert "+50.00" in line
    assert "compare of 1 runs; allowed: two or more folders" in alone.stderr
    assert "run two: no summary.json, and no runs" in nothing.stderr
    assert "compare without --from or --to; allowed: both, or two folders of runs" in without.stderr


@pytest.fixture(scope="module")
def results(replayed: Replayed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from api.cli import run

    folder = tmp_path_factory.mktemp("results")
    for name in ("csv", "parquet"):
        given = ("replay", *NIGHT, "--seed", "1", "--database", replayed.database)
        assert run([*given, "--results", str(folder / name), "--format", name]) == 0
    return folder


def test_results_say_what_the_summary_says(results: Path, replayed: Replayed) -> None:
    summary = replayed.summary
    found = {one.name: rows(results / "csv" / f"{one.name}.csv") for one in RESULTS}

    assert len(found["sessions"]) == summary["settled"]
    assert sum(int(one["bits"]) for one in found["merges"]) == summary["merged_bits"]
    assert len(found["passes"]) == summary["passes"]
    assert sum(one["verdict"] == "booked" for one in found["passes"]) == summary["booked"]
    last = max(one["at"] for one in found["balances"])
    held = {
        (one["pool"], one["account"]): int(one["bits"])
        for one in found["balances"]
        if one["at"] == last
    }
    assert held == {
        (pool, account): bits
        for pool, accounts in summary["balances"]["pools"].items()
        for account, bits in accounts.items()
        if bits
    }


def test_parquet_has_the_same_with_types(results: Path) -> None:
    for one in RESULTS:
        table = pyarrow.parquet.read_table(results / "parquet" / f"{one.name}.parquet")
        plain = rows(results / "csv" / f"{one.name}.csv")
        columns = columns_of(one.kind)
        assert table.column_names == list(columns)
        assert table.num_rows == len(plain)
        for name, kind in columns.items():
            for typed, text in zip(
                table[name].to_pylist(), [row[name] for row in plain], strict=True
            ):
                if typed is None:
                    assert text == ""
                elif kind is CellKind.INSTANT:
                    assert typed == datetime.fromisoformat(text)
                elif kind in {CellKind.WHOLE, CellKind.NUMBER}:
                    assert typed == float(text)
                else:
                    assert str(typed) == text.removeprefix("'")


def test_the_page_of_results_is_made_from_what_is_written() -> None:
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results_page()
