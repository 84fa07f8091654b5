"""`skytrunk vault`: what it shows, what it does, and when it ends with 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.conftest import Command, Replayed


@pytest.fixture
def vault(skytrunk: Command, replayed: Replayed, tmp_path: Path) -> Command:
    """The command on a copy of the replayed ledger."""
    replayed.copy_to(tmp_path / "copy.db")

    def invoke(*arguments: str, **more: str):  # type: ignore[no-untyped-def]
        return skytrunk("--database", "sqlite:///copy.db", *arguments, **more)

    return invoke


def _data_keys(folder: Path) -> set[str]:
    """The names of the files of data keys; the counter is none."""
    keys = (folder / "copy.db.keys").iterdir()
    return {path.name for path in keys if not path.name.startswith("counter.")}


def test_an_epoch_is_begun_shredded_and_the_key_replaced(vault: Command, tmp_path: Path) -> None:
    before = _data_keys(tmp_path)
    shown = vault("vault", "status")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"{len(before)} data keys under key-encryption key" in shown.stdout

    begun = json.loads(vault("vault", "new-epoch", "--json").stdout)
    assert begun == {"epochs_begun": len(before)}
    shredded = json.loads(vault("vault", "shred", "--json").stdout)
    assert shredded["epochs_shredded"] == len(before)
    assert before.isdisjoint(_data_keys(tmp_path))

    old = (tmp_path / "copy.db.kek").read_text()
    rotated = vault("vault", "rotate-kek")
    assert rotated.stdout.startswith(f"{len(before)} data keys are under key ")
    assert (tmp_path / "copy.db.kek").read_text() != old
    assert vault("ledger", "verify").returncode == 0


def test_what_should_be_gone_and_is_not_ends_with_1(vault: Command) -> None:
    assert vault("vault", "new-epoch").returncode == 0
    late = vault("vault", "status", SKYTRUNK_SHRED_DEADLINE_S="0.000001")
    assert late.returncode == 1
    assert "overdue" in late.stdout


def test_a_leftover_draft_of_the_key_file_is_no_matter(vault: Command, tmp_path: Path) -> None:
    (tmp_path / "copy.db.kek.next").write_text("half a key")
    (tmp_path / "copy.db.kek.next").chmod(0o600)
    (tmp_path / ".copy.db.kek.0123").write_text("half a key")
    done = vault("vault", "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "copy.db.kek.next").exists()
