"""What the documents name is there, and the recipes of docs/operating.md do what they say."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from scheduler.errors import KeystoreError, LedgerRolledBack
from scheduler.ledger import open_ledger, open_view
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.reader import get_commands
from scheduler.ledger.vault.keystore import kek_from_file
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import NOON, deposit
from tests.test_readme import FENCED, ROOT

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
FOLDERS = (ROOT, ROOT / "scheduler", ROOT / "scheduler" / "ledger")
"""From where paths are named: docs/architecture.md is inside of the last two for a section each."""
NAMED = re.compile(r"`([^`\s]+(?:\.py|\.toml|\.md|/))`")


def paths(text: str) -> list[str]:
    """Return the paths that a text names in backquotes, its fenced blocks aside."""
    return NAMED.findall(FENCED.sub("", text))


def is_there(name: str) -> bool:
    """Tell whether the path, or the pattern, has something behind it in one of FOLDERS."""
    return any(any(folder.glob(name.rstrip("/"))) for folder in FOLDERS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_in_a_document_exists(document: Path) -> None:
    named = paths(document.read_text(encoding="utf-8"))

    assert [name for name in named if not is_there(name)] == []


def test_paths_are_found_outside_of_fenced_blocks() -> None:
    text = "`tests/no.py` and `orbits/`\n```sh\ncat `none.md`\n```\nnot `a b.py`, not `x.pyc`"

    assert paths(text) == ["tests/no.py", "orbits/"]
    assert [is_there(name) for name in paths(text)] == [False, True]


@pytest.fixture
def ledger_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger in a file with its key beside it, and a block of key in it."""
    for name in ("SKYTRUNK_KEK", "SKYTRUNK_KEK_FILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "skytrunk.db"
    with open_ledger(f"sqlite:///{file}") as ledger, ledger.begin() as tx:
        deposit(tx, "one", 1024)
    return file


def recipe(name: str) -> Any:
    """Return a function that docs/operating.md defines."""
    found: dict[str, Any] = {}
    for language, body in FENCED.findall((ROOT / "docs/operating.md").read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(body, "operating.md", "exec"), found)
    return found[name]


def test_a_ledger_in_use_is_backed_up_whole(ledger_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with open_ledger(f"sqlite:///{ledger_file}") as ledger:
        with ledger.begin() as tx:
            deposit(tx, "two", 1024)
        recipe("back_up")(ledger_file, copy)
        signed = ledger.checkpoint(NOON)
        newer = ledger.checkpoint(NOON)
    kek = kek_from_file(ledger_file.with_name("skytrunk.db.kek"))

    folder = ledger_file.with_name("skytrunk.db.keys")
    with open_view(f"sqlite:///{copy}", kek=kek, key_folder=folder) as view:
        report = view.verify(is_copy=True)
        (put_back,) = view.verify().problems
        as_signed = verify_lines(view.export_lines(), checkpoint=signed)
        as_signed_later = verify_lines(view.export_lines(), checkpoint=newer)

    assert report.ok
    assert report.blocks == 2
    assert as_signed.ok
    # Put back, the copy is an old one: the counter tells, and a newer checkpoint.
    assert put_back.endswith("it is an old copy")
    assert [f"log has {signed.size} leaves" in one for one in as_signed_later.problems] == [True]


def fenced_commands(heading: str) -> list[list[str]]:
    """Return the `skytrunk` commands of a section of docs/operating.md."""
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [
        line for language, body in FENCED.findall(section) if language == "sh"
        for line in body.splitlines()
    ]  # fmt: skip
    return [shlex.split(line)[1:] for line in lines if line.startswith("skytrunk ")]


def data_keys(folder: Path) -> set[str]:
    """Return the names of the files of data keys; the counter is none."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("counter.")}


def test_the_commands_of_key_at_rest_do_what_they_say(
    ledger_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ledger_file.parent)
    key_file = ledger_file.with_name("skytrunk.db.kek")
    old, folder = kek_from_file(key_file), ledger_file.with_name("skytrunk.db.keys")
    before = data_keys(folder)

    given = [words for words in fenced_commands("Key at rest") if words[0] == "vault"]
    assert [run(words) for words in given] == [0] * 4

    assert given[-1] == ["vault", "rotate-kek"]
    assert [path.name for path in ledger_file.parent.glob("*.kek*")] == [key_file.name]
    assert len(data_keys(folder)) == len(before) == 1
    assert before.isdisjoint(data_keys(folder))
    with open_ledger(f"sqlite:///{ledger_file}") as ledger:
        assert ledger.view.verify().ok
    with pytest.raises(KeystoreError, match="is sealed under"):
        open_ledger(f"sqlite:///{ledger_file}", kek=old)


def test_a_restored_copy_needs_ledger_key_and_key_folder(ledger_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "skytrunk.db"
    copy.parent.mkdir()
    recipe("back_up")(ledger_file, copy)
    shutil.copy(f"{ledger_file}.kek", f"{copy}.kek")
    with pytest.raises(KeystoreError, match="holds none of the 1 data keys"):
        open_ledger(f"sqlite:///{copy}")
    shutil.copytree(f"{ledger_file}.keys", f"{copy}.keys")
    with open_ledger(f"sqlite:///{copy}") as ledger:
        assert ledger.view.verify().ok


def test_a_copy_put_back_is_refused_until_the_command_of_the_document_accepts_it(
    ledger_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy.db"
    recipe("back_up")(ledger_file, copy)
    with open_ledger(f"sqlite:///{ledger_file}") as ledger, ledger.begin() as tx:
        deposit(tx, "two", 1024)
    later = tmp_path / "later.db"
    recipe("back_up")(ledger_file, later)
    for path in tmp_path.glob("skytrunk.db-*"):
        path.unlink()
    copy.replace(ledger_file)
    url = f"sqlite:///{ledger_file}"
    with pytest.raises(LedgerRolledBack, match="had 3 before: it is an old copy"):
        open_ledger(url)
    assert run(["ledger", "verify"]) != 0

    (given,) = fenced_commands("Copies")
    assert run(given) == 0

    with open_ledger(url) as ledger:
        assert ledger.view.verify().ok
        with ledger.view.read() as reader:
            (command,) = get_commands(reader, kind="restored")
            assert command.answer["reason"] == "disk of the old machine failed"
            assert command.answer["bits_withdrawn"] == 1024
            assert all(not accounts.get("pool") for accounts in get_balances(reader).values())
    assert run(given) != 0  # there is nothing to restore any more
    later.replace(ledger_file)
    with pytest.raises(LedgerRolledBack):
        open_ledger(url)


def test_the_commands_of_years_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKYTRUNK_ARCHIVE_PLACE", "archive")
    given = fenced_commands("Years")
    assert [words[1] for words in given[1:]] == ["close-segment", "segments", "verify", "verify"]
    assert run(given[0]) == 0
    assert "new ledger, signed by" in capsys.readouterr().err
    balances = run(["ledger", "show"]), capsys.readouterr().out
    assert run(given[1]) == 0
    assert "segment 1 closed at leaf" in capsys.readouterr().out
    assert (run(["ledger", "show"]), capsys.readouterr().out) == balances
    assert run(given[2]) == 0
    assert "1 closed period" in capsys.readouterr().out
    assert run(given[3]) == 0
    (file,) = tmp_path.glob(given[4][-1])  # as a shell would have it
    assert run([*given[4][:-1], str(file)]) == 0
    assert "segment 1 sound" in capsys.readouterr().out
    assert run(given[1]) == 0
    assert "no period was closed" in capsys.readouterr().out
    # A proof about a command that left, against a checkpoint signed later.
    assert run(["ledger", "checkpoint", "--out", "signed.json"]) == 0
    assert run(["ledger", "prove", "command", "3", "--checkpoint", "signed.json",
                "--out", "proof.json"]) == 0  # fmt: skip
    assert run(["ledger", "verify", "--proof", "proof.json", "--checkpoint", "signed.json"]) == 0
