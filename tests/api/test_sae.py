"""`skytrunk sae` and `skytrunk keys uncertain`: who may draw key, and what is in doubt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli import run


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert run(words) == code
    shown = capsys.readouterr()
    return shown.err if code else shown.out


def test_an_entity_is_registered_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKYTRUNK_DATABASE_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    added = said(capsys, "sae", "add", "bank-a", "--node", "nanshan")
    assert added == "bank-a is registered at nanshan\n"
    assert "is registered" in said(capsys, "sae", "add", "bank-a", "--node", "xinglong", code=1)
    assert "no node" in said(capsys, "sae", "add", "bank-b", "--node", "nowhere", code=2)
    assert "satellite" in said(capsys, "sae", "add", "bank-b", "--node", "micius", code=2)
    assert "allowed" in said(capsys, "sae", "add", "a b", "--node", "nanshan", code=2)

    listed = json.loads(said(capsys, "sae", "list", "--json"))
    assert listed["saes"] == [{"sae_id": "bank-a", "node": "nanshan"}]
    assert "0 keys" in said(capsys, "keys", "uncertain")

    assert "no more" in said(capsys, "sae", "remove", "bank-a")
    assert json.loads(said(capsys, "sae", "list", "--json"))["saes"] == []
    assert "sound" in said(capsys, "ledger", "verify")
