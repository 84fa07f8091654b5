"""The command line: what it prints where, and with which exit code."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from scheduler import services
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import NIGHT, Command, Replayed, clean_environment, run_skytrunk, started

DAY = ("--from", "2016-12-19", "--to", "2016-12-20")
PASSES = ("passes", "micius", "--station", "xinglong")

BAD_INPUT = [
    (("passes", "sputnik", *DAY), ["'sputnik'", "micius"]),
    (("passes", "micius", "--station", "baikonur", *DAY), ["'baikonur'", "xinglong", "delingha"]),
    ((*PASSES, "--from", "2016-12-19T10:00", "--to", "2016-12-20"), ["19T10:00", "no zone"]),
    ((*PASSES, "--from", "2016-12-20", "--to", "2016-12-19"), ["2016-12-20", "before"]),
    ((*PASSES, "--from", "2016-12-19", "--to", "2016-12-19"), ["before"]),
    ((*PASSES, "--from", "19/12/2016", "--to", "2016-12-20"), ["'19/12/2016'", "allowed"]),
    ((*PASSES, *DAY, "--min-elevation-deg", "90"), ["90.0", "allowed"]),
    ((*PASSES, *DAY, "--min-elevation-deg", "nan"), ["nan", "allowed"]),
    ((*PASSES, *DAY, "--json", "--csv"), ["--json", "--csv"]),
    ((*PASSES, *DAY, "--colour", "red"), ["--colour"]),
    ((*PASSES, *DAY, "--as-known-at", "soon"), ["'soon'", "allowed"]),
    # In the gap of early 2020 the nearest set is months away; in 2026 the satellite is gone.
    ((*PASSES, "--from", "2020-03-01", "--to", "2020-03-02"), ["14"]),
    ((*PASSES, "--from", "2026-09-01", "--to", "2026-09-02"), ["14"]),
    ((*PASSES, "--from", "2016-01-01", "--to", "2016-12-31"), ["days"]),
    (("replay", *DAY, "--scenario", "atlantis"), ["'atlantis'", "micius-2016"]),
    (("replay", *DAY, "--planner", "oracle"), ["oracle"]),
    (("replay", *DAY, "--objective", "fame"), ["'fame'", "total"]),
    (("replay", "--from", "2016-12-20", "--to", "2016-12-19"), ["before"]),
    (("replay", *DAY, "--report", "taken"), ["taken", "folder"]),
    (("run", "--clock-rate", "0"), ["0.0", "allowed"]),
    (("run", "--clock-start", "noon"), ["'noon'", "allowed"]),
    (("serve", "--port", "70000"), ["70000"]),
    (("serve", "--host", "203.0.113.1"), ["203.0.113.1", "allowed"]),
    (("elements", "import", "missing.tle"), ["missing.tle", "No such file"]),
    (("elements", "import", "taken"), ["line", "column", "expected"]),
    (("elements", "import", "binary"), ["binary", "byte 0"]),
    (("--config", "missing.toml", "stations"), ["missing.toml"]),
    (("--config", "taken", "stations"), ["taken"]),
    (("ledger",), ["command"]),
    (("ledger", "verify"), ["no ledger", "skytrunk.db", "allowed"]),
    (("ledger", "export"), ["no ledger", "skytrunk.db", "allowed"]),
    (("ledger", "verify", "--database", "nonsense"), ["'nonsense'", "allowed"]),
    (("ledger", "verify", "--database", "mysql://a/b"), ["mysql", "allowed"]),
    (("orbit",), ["'orbit'"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT, ids=lambda value: " ".join(value))
def test_bad_input_is_one_line_and_exit_code_2(
    skytrunk: Command, tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    (tmp_path / "taken").write_text("this is no element set\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    done = skytrunk(*arguments)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("skytrunk: ")
    for word in words:
        assert word in line


def test_a_broken_element_set_names_line_and_column_and_nothing_is_imported(
    skytrunk: Command, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "tle" / "micius-2016-2025.tle").read_text()
    lines = [line for line in text.splitlines() if line[:2] in {"1 ", "2 "}]
    changed = lines[3][:55] + ("0" if lines[3][55] != "0" else "1") + lines[3][56:]
    (tmp_path / "broken.tle").write_text("\n".join([*lines[:3], changed, *lines[4:]]) + "\n")

    def listed() -> list[dict[str, object]]:
        rows = json.loads(skytrunk("elements", "list", "--json").stdout)["elements"]
        return [{name: row[name] for name in row if name != "age_days"} for row in rows]

    before = listed()

    done = skytrunk("elements", "import", "broken.tle")

    assert done.returncode == 2
    assert "line 4" in done.stderr
    assert "column" in done.stderr
    assert listed() == before


def test_element_sets_are_imported_once(skytrunk: Command, tmp_path: Path) -> None:
    # Micius, 2016-12-19, moved to another catalogue number so that it is new.
    lines = [
        "1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927",
        "2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537",
    ]  # the element set that explains the format on its Wikipedia page
    (tmp_path / "iss.tle").write_text("\n".join(lines) + "\n")

    first = skytrunk("elements", "import", "iss.tle", "--json")
    second = skytrunk("elements", "import", "iss.tle", "--json")

    nothing: dict[str, list[str]] = {"quarantined": [], "released": [], "skipped": []}
    nothing["strangers"] = ["25544"]
    assert json.loads(first.stdout) == {"added": 1, **nothing}
    assert json.loads(second.stdout) == {"added": 0, **nothing}
    listed = json.loads(skytrunk("elements", "list", "--json").stdout)["elements"]
    assert "no satellite of the scenario has catalogue number 25544" in first.stderr
    assert [row["norad_id"] for row in listed].count(25544) == 1
    assert "25544" in skytrunk("elements", "list").stdout


@pytest.mark.parametrize("arguments", [("--help",), (), ("passes", "--help"), ("ledger", "--help")])
def test_help_is_on_stdout(skytrunk: Command, arguments: tuple[str, ...]) -> None:
    done = skytrunk(*arguments)

    assert (done.returncode, done.stderr) == (0, "")
    assert "--database" in done.stdout


def test_satellites_and_stations_are_listed(skytrunk: Command) -> None:
    (micius,) = json.loads(skytrunk("satellites", "--json").stdout)["satellites"]
    stations = json.loads(skytrunk("stations", "--json").stdout)["stations"]

    assert micius["norad_id"] == 41731
    assert [row["station"] for row in stations] == ["xinglong", "nanshan", "delingha"]
    assert "41731" in skytrunk("satellites").stdout
    assert "117.5774583" in skytrunk("stations").stdout


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m api.cli passes micius --from 2016-12-18 --to 2017-01-12 --csv"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1"],
        cwd=tmp_path, env=clean_environment(),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stdout.startswith("satellite,norad_id")
    assert done.stderr == ""


def test_interrupt_ends_a_replay_with_130_and_one_line(tmp_path: Path) -> None:
    with started(tmp_path, "replay", "--from", "2016-12-19", "--to", "2017-05-25") as process:
        _wait_for(lambda: (tmp_path / "skytrunk.db").exists())
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines() == ["skytrunk: interrupted"]


def test_serve_answers_until_it_is_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started(tmp_path, "serve", "--port", str(port)) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert f"http://127.0.0.1:{port}" in line
        answer = httpx.get(f"http://127.0.0.1:{port}/stations", timeout=30.0, trust_env=False)
        taken = run_skytrunk(tmp_path, "serve", "--port", str(port))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)

    assert answer.status_code == 200
    assert taken.returncode == 2
    assert f"port {port}" in taken.stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("serve",),
        ("plan", "make", "--from", "2016-12-28", "--to", "2016-12-29", "--at", "2016-12-28"),
        ("keys", "list", "--pair", "nanshan--nanshan-shanghai-1"),
    ],
)
def test_a_ledger_of_another_scenario_is_refused_before_anything_else(
    skytrunk: Command, replayed: Replayed, arguments: tuple[str, ...]
) -> None:
    done = skytrunk(
        "--database", replayed.database, *arguments, SKYTRUNK_SCENARIO="micius-2016-fibre"
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "belongs to scenario 'micius-2016', asked for was 'micius-2016-fibre'" in line


def test_a_demand_that_no_network_can_serve_is_refused_by_name(
    skytrunk: Command, tmp_path: Path
) -> None:
    """A combined key from Nanshan to Shanghai: in `micius-2016` all goes through Micius."""
    shipped = resources.files("scheduler") / "scenarios" / "micius-2016.toml"
    text = shipped.read_text(encoding="utf-8")
    wanted = 'from = "nanshan"\nto = "shanghai"\n'
    assert wanted in text
    text = text.replace(wanted, wanted + "min_disjoint_paths = 2\n")
    (tmp_path / "two.toml").write_text(text, encoding="utf-8")
    why = "2 node-disjoint paths from nanshan to shanghai are wanted, but every path shares micius"

    done = skytrunk("replay", "--scenario", "two.toml", *NIGHT, "--report", "report")
    planned = skytrunk(
        "--database", "sqlite:///other.db", "plan", "make", *NIGHT, "--scenario", "two.toml"
    )

    assert done.returncode == 0
    assert f"nanshan--shanghai is refused: {why}" in done.stdout
    assert f"- nanshan--shanghai is refused: {why}" in (tmp_path / "report/report.md").read_text()
    assert f"cannot be served: {why}" in planned.stdout


def test_a_report_that_cannot_be_written_is_told_before_the_work(
    skytrunk: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = skytrunk("replay", *NIGHT, "--report", "file/report")
    assert done.returncode == 2
    assert "report file/report: Not a directory; allowed: a folder" in done.stderr
    assert not list(tmp_path.glob("*.db"))


def test_a_replay_without_elements_says_why_nothing_was_planned(skytrunk: Command) -> None:
    done = skytrunk("replay", "--from", "2026-06-01", "--to", "2026-06-02")
    assert done.returncode == 0
    signed, line = done.stderr.splitlines()
    assert signed.startswith("skytrunk: new ledger, signed by ")
    assert "nothing planned from 2026-06-01T00:00:00.000Z to 2026-06-02T00:00:00.000Z" in line
    assert "it was coming down" in line


def test_help_keeps_its_defaults_and_version_is_told(skytrunk: Command) -> None:
    shown = " ".join(skytrunk("passes", "--help").stdout.replace("│", " ").split())
    assert "repeatable (default: all)" in shown
    assert "(default: the scenario's)" in shown
    assert skytrunk("--version").stdout == f"skytrunk {version('skytrunk')}\n"


def test_run_ticks_and_stops_on_a_signal(tmp_path: Path) -> None:
    clock = ("--clock-start", "2016-12-19", "--clock-rate", "20000")
    with started(tmp_path, "run", *clock) as process:
        _wait_for(lambda: _commands(tmp_path, "merge") >= 2)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "Traceback" not in stderr


def _commands(folder: Path, kind: str) -> int:
    database = folder / "skytrunk.db"
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            (count,) = connection.execute(
                "SELECT count(*) FROM command WHERE kind = ?", [kind]
            ).fetchone()
        except sqlite3.OperationalError:  # the tables are being made
            return 0
    return int(count)


def _wait_for(ready: object, timeout_s: float = 60.0) -> None:
    """Wait for another process; there is nothing to be told by it."""
    assert callable(ready)
    until = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)


def test_the_ledger_is_shown_verified_and_exported(
    skytrunk: Command, replayed: Replayed, tmp_path: Path
) -> None:
    database = ("--database", replayed.database)
    shown = skytrunk("ledger", "show", "--json", *database)
    table = skytrunk("ledger", *database, "show")
    verified = skytrunk(*database, "ledger", "verify")
    together = skytrunk(*database, "ledger", "verify", "--workers", "2")
    exported = skytrunk("ledger", "export", SKYTRUNK_DATABASE_URL=replayed.database)
    filed = skytrunk("ledger", "export", "--out", "ledger.jsonl", *database)

    assert json.loads(shown.stdout) == replayed.summary["balances"]
    assert "link:micius--xinglong" in table.stdout
    assert verified.returncode == 0
    assert verified.stdout.startswith("ledger sound: ")
    assert (together.returncode, together.stdout) == (0, verified.stdout)
    lines = exported.stdout.splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert filed.returncode == 0
    assert (tmp_path / "ledger.jsonl").read_text() == exported.stdout


def test_a_changed_row_is_named_and_verify_fails(
    skytrunk: Command, replayed: Replayed, tmp_path: Path
) -> None:
    copy = tmp_path / "changed.db"
    shutil.copy(replayed.folder / "replay.db.kek", f"{copy}.kek")
    shutil.copytree(replayed.folder / "replay.db.keys", f"{copy}.keys")
    with (
        closing(sqlite3.connect(replayed.folder / "replay.db")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA ignore_check_constraints = ON")
        triggers = target.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            target.execute(f'DROP TRIGGER "{name}"')
        row = target.execute("SELECT id FROM ledger_entry ORDER BY id LIMIT 1").fetchone()
        target.execute("UPDATE ledger_entry SET amount_bits = amount_bits + 8 WHERE id = ?", row)
        target.commit()

    done = skytrunk("ledger", "verify", "--database", f"sqlite:///{copy}")
    told = skytrunk("ledger", "verify", "--json", "--database", f"sqlite:///{copy}")
    together = skytrunk(
        "ledger", "verify", "--json", "--workers", "3", "--database", f"sqlite:///{copy}"
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("skytrunk: ledger broken: ")
    problems = json.loads(told.stdout)["problems"]
    assert told.returncode == 1
    assert any("ledger_entry" in problem for problem in problems)
    assert (together.returncode, together.stdout) == (1, told.stdout)


def test_another_seed_on_the_same_database_is_refused(
    skytrunk: Command, replayed: Replayed
) -> None:
    done = skytrunk(
        "replay", "--from", "2016-12-19", "--to", "2016-12-21", "--seed", "2",
        "--database", replayed.database,
    )  # fmt: skip

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "seed" in line


def test_passes_loads_nothing_it_does_not_need(tmp_path: Path) -> None:
    heavy = (
        "matplotlib,fastapi,uvicorn,sqlalchemy,alembic,apscheduler,highspy,networkx,httpx,rich,"
        "api.plots,api.report,api.routes,scheduler.plan,scheduler.merge,scheduler.ledger.view"
    )
    code = (
        "import sys; from api.cli import run;"
        f"code = run({[*PASSES, *DAY, '--json']!r});"
        f"found = [name for name in {heavy!r}.split(',') if name in sys.modules];"
        "sys.stderr.write(','.join(found)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stderr == ""


def test_a_copy_without_its_write_ahead_log_is_not_just_sound(
    skytrunk: Command, tmp_path: Path
) -> None:
    """SQLite keeps the last commits in `-wal` while the ledger is open."""
    with Context(load_settings(database_url=f"sqlite:///{tmp_path / 'live.db'}")) as context:
        assert context.ledger  # opened, and with it made
        with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as reader:
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            # Who reads an older state keeps the log from being emptied into the file.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM command").fetchone()
            services.add_outage(
                context, kind="station", name="nanshan", start=datetime(2016, 12, 19, tzinfo=UTC),
                end=datetime(2016, 12, 20, tzinfo=UTC),
            )  # fmt: skip
            shutil.copy(tmp_path / "live.db", tmp_path / "copy.db")
            shutil.copy(tmp_path / "live.db.kek", tmp_path / "copy.db.kek")

    done = skytrunk("--database", "sqlite:///copy.db", "ledger", "verify", "--copy")

    assert done.stdout.startswith("ledger empty: 0 commands")
    assert "-wal" in done.stderr


def test_passes_by_skyfield_are_those_of_the_usual_engine(skytrunk: Command) -> None:
    asked = ("passes", "micius", "--station", "xinglong", "--from", "2016-12-19", "--to")
    usual, reference = (
        json.loads(skytrunk(*asked, "2016-12-20", "--json", "--engine", name).stdout)["passes"]
        for name in ("numpy", "skyfield")
    )

    assert len(usual) == len(reference) > 0
    for one, other in zip(usual, reference, strict=True):
        assert one.keys() == other.keys()
        apart = datetime.fromisoformat(one["rises_at"]) - datetime.fromisoformat(other["rises_at"])
        assert abs(apart) < timedelta(seconds=0.01)
        assert abs(one["max_elevation_deg"] - other["max_elevation_deg"]) < 0.01
