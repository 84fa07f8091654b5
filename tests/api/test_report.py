"""The replay's summary, its report folder and its pictures."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest

from api.report.markdown import figure, table
from api.schemas.base import Column
from api.schemas.replays import STATION_SUMS
from tests.api.conftest import Command, Replayed


def test_stdout_of_json_is_one_document_and_nothing_else(replayed: Replayed) -> None:
    assert json.loads(replayed.stdout) == replayed.summary
    assert replayed.stdout.startswith("{")
    assert replayed.stdout.endswith("}\n")


def test_totals_are_sums_over_stations_and_pairs(replayed: Replayed) -> None:
    summary = replayed.summary

    assert set(summary["stations"]) == {"xinglong", "nanshan", "delingha"}
    for name in STATION_SUMS:
        assert summary[name] == sum(tally[name] for tally in summary["stations"].values())
    for name in ("merges", "merged_bits"):
        assert summary[name] == sum(tally[name] for tally in summary["pairs"].values())
    assert summary["passes"] >= summary["dark"] >= summary["booked"] >= summary["settled"] > 0
    assert summary["secret_bits"] == sum(done["secret_bits"] for done in summary["sessions"])
    assert summary["merged_bits"] > 0
    assert all("--" in pair for pair in summary["pairs"])
    assert summary["ledger_problems"] == []
    assert summary["elements_used"]


def test_the_table_says_the_same_as_the_document(skytrunk: Command, replayed: Replayed) -> None:
    # The same run again: everything was done already, and the table is printed from the ledger.
    done = skytrunk(
        "replay", "--from", "2016-12-19", "--to", "2016-12-21", "--seed", "1",
        "--database", replayed.database,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    for station, tally in replayed.summary["stations"].items():
        (line,) = [line for line in done.stdout.splitlines() if line.split()[:1] == [station]]
        assert line.split()[1:] == [f"{tally[name]:,}" for name in STATION_SUMS]
    assert f"{replayed.summary['merged_bits']:,}" in done.stdout
    assert "continued" in done.stdout
    assert "ledger sound" in done.stdout


PICTURES = [
    "sky-xinglong-2016-12-19.png",
    "map.png",
    "key-flow.png",
    "key-over-time.png",
    "key-flow.png",
    "published-and-model.png",
    "reliability.png",
]


def test_the_folder_has_report_summary_and_pictures(replayed: Replayed) -> None:
    names = {path.name for path in replayed.report.iterdir()}

    assert names == {"report.md", "report.html", "summary.json", *PICTURES}
    page = (replayed.report / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert page.count("<table>") == sum(
        line.startswith("| ---")
        for line in (replayed.report / "report.md").read_text(encoding="utf-8").splitlines()
    )
    assert all(f'<img src="{name}"' in page for name in PICTURES)
    assert json.loads((replayed.report / "summary.json").read_text()) == replayed.summary
    text = (replayed.report / "report.md").read_text()
    for name in PICTURES:
        assert f"]({name})" in text


def test_every_picture_is_drawn_as_svg_where_that_is_asked_for(
    skytrunk: Command, replayed: Replayed, tmp_path: Path
) -> None:
    done = skytrunk(
        "replay", "--from", "2016-12-19", "--to", "2016-12-21", "--seed", "1",
        "--database", replayed.database, "--report", str(tmp_path), "--pictures", "svg",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    names = {name.replace(".png", ".svg") for name in PICTURES}
    assert {path.name for path in tmp_path.iterdir()} - {
        "report.md", "report.html", "summary.json",
    } == names  # fmt: skip
    page, text = ((tmp_path / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert all(f'<img src="{name}"' in page and f"]({name})" in text for name in names)
    for name in names:
        drawn = ElementTree.parse(tmp_path / name).getroot()
        assert len(list(drawn.iter("{http://www.w3.org/2000/svg}path"))) > 20


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_something(replayed: Replayed, name: str) -> None:
    pixels = matplotlib.image.imread(replayed.report / name)

    height, width = pixels.shape[:2]
    assert width >= 800
    assert height >= 600
    inked = np.any(pixels[..., :3] < 0.9, axis=-1).mean()
    assert 0.005 < inked < 0.9
    grey = np.round(pixels[..., :3].mean(axis=-1) * 255.0).astype(np.uint8)
    assert len(np.unique(grey)) > 50  # antialiased lines and text of several colours


def test_the_report_says_what_is_fitted_and_what_sifted_means(replayed: Replayed) -> None:
    text = (replayed.report / "report.md").read_text()

    assert "model, unfitted" in text
    assert "model, fitted" in text
    assert "never fitted" in text
    assert "signal intensity" in text
    assert "matching-basis detections of all intensities" in text
    assert "1,671,072" in text
    assert "synthetic" in text  # the trunk's standing, from the scenario's notes
    for epoch in replayed.summary["elements_used"]:
        assert epoch in text


def test_the_published_pass_comes_out_as_published(skytrunk: Command, tmp_path: Path) -> None:
    done = skytrunk("validate", "--json", "--picture", "rate.png")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    rows = {
        row["quantity"]: row
        for row in document["rows"]
        if row["case"] == "Micius over Xinglong, 2016-12-19"
    }

    assert 20_000 < (tmp_path / "rate.png").stat().st_size < 200_000
    # Tolerances of the published comparison: geometry never fitted, +-2 km, +-0.2 deg, +-3 s;
    # the unfitted model within a factor of 1.5, the fitted one within 10 % (key: 25 %).
    assert rows["closest range"]["unfitted"] == pytest.approx(645.3, abs=2.0)
    assert rows["elevation at closest range"]["unfitted"] == pytest.approx(47.8, abs=0.2)
    assert rows["time within 1200 km"]["unfitted"] == pytest.approx(272.0, abs=3.0)
    assert rows["instant of closest range"]["unfitted"] in {
        f"2016-12-19 16:52:{second}" for second in ("12", "13", "14", "15", "16")
    }
    sifted = rows["sifted bits, signal intensity"]
    assert 1 / 1.5 < sifted["unfitted"] / 1_671_072 < 1.5
    assert sifted["fitted"] == pytest.approx(1_671_072, rel=0.10)
    assert 1 / 1.5 < rows["detections"]["unfitted"] / 3_551_136 < 1.5
    assert rows["detections"]["fitted"] == pytest.approx(3_551_136, rel=0.10)
    key = rows["final key, Hoeffding bounds, f_EC 1.16"]
    assert key["fitted"] == pytest.approx(300_939, rel=0.25)
    losses = [row for name, row in rows.items() if name.startswith("mean loss, ")]
    assert len(losses) == 7
    for row in losses:
        assert row["fitted"] == pytest.approx(row["published"], abs=1.5)


def test_validate_tells_every_published_case(skytrunk: Command) -> None:
    # The network worked for does not matter, nor does a ledger: none is made.
    done = skytrunk("validate", "--json", SKYTRUNK_SCENARIO="beijing-shanghai")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)

    cases = list(dict.fromkeys(row["case"] for row in document["rows"]))
    assert [case.partition(",")[0].partition(" (")[0] for case in cases] == [
        "Micius over Xinglong",
        "Micius campaign of 2016-17",
        "Micius over the upgraded Nanshan station",
        "Micius received at Graz",
        "Micius received by the 600 mm station",
        "Micius received by the portable 280 mm station",
        "Jinan-1 received by a portable 280 mm station",
        "Emulated satellite overpass",
        "Fast fibre link",
        "Fibre link of 97 km at 625 MHz",
        "Beijing-Shanghai trunk",
        "CN-QCN backbone of 2025",
        "Asymptotic weak+vacuum decoy",
        "Micius entangled over Delingha",
        "Micius over Delingha and Nanshan",
    ]
    assert {row["published"] for row in document["rows"]} >= {47_800.0, 304_000.0, 300_939.0}
    for row in document["rows"]:
        assert row["assumption"]
        assert row["source"]
        assert row["standing"] in {
            "never fitted", "fitted to this", "follows from the fit", "what the fit changed",
        }  # fmt: skip
    assert len(document["elements"]) == 11


def test_the_campaigns_geometry_is_that_of_the_element_sets(skytrunk: Command) -> None:
    # The table's own digits, and a second for the packaged set being another than the table's.
    tolerance = {"closest range": 0.5, "elevation there": 0.1, "time within 1200 km": 1.0}
    done = skytrunk("validate", "--json")
    rows = [
        row for row in json.loads(done.stdout)["rows"] if row["case"].startswith("Micius campaign")
    ]

    assert len(rows) == 50
    for row in rows:
        name = row["quantity"].partition(": ")[2]
        if name in tolerance:
            assert row["unfitted"] == pytest.approx(row["published"], abs=tolerance[name])
            assert row["standing"] == "never fitted"
        elif name.startswith("instant"):
            one, other = (datetime.fromisoformat(row[c]) for c in ("published", "unfitted"))
            assert abs((one - other).total_seconds()) <= 1.0
        else:
            assert 0.0 < row["unfitted"] < row["fitted"] < 0.5


def test_the_table_of_validate_shows_all_three_columns(skytrunk: Command) -> None:
    done = skytrunk("validate")

    assert done.returncode == 0, done.stderr
    for word in ("published", "unfitted", "fitted", "never fitted", "1,671,072", "300,939"):
        assert word in done.stdout
    # Every number that a row refers to is explained below the tables.
    marks = set(re.findall(r"\[\d+\]", done.stdout))
    assert len(marks) > 10
    for mark in marks:
        assert f"  {mark} " in done.stdout.partition("assumed, by the number")[2]


def test_markdown_tables_align_and_escape() -> None:
    columns = [Column("name", lambda row: row[0]), Column("bits", lambda row: row[1], ",")]
    text = table(columns, [("a|b", 1234567), ("[c](http://d)", None)])

    assert text.splitlines() == [
        "| name | bits |",
        "| --- | ---: |",
        "| a\\|b | 1,234,567 |",
        "| [c]\\(http://d) | - |",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1671072.4, "1,671,072"),
        (645.3123, "645.3"),
        (33.2, "33.2"),
        (0.0110432, "0.01104"),
        (0.0, "0"),
    ],
)
def test_a_figure_keeps_the_digits_that_mean_something(value: float, shown: str) -> None:
    assert figure(value) == shown
