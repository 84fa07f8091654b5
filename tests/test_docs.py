"""What the documents name is there, and the recipes of docs/operating.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scheduler.errors import KeystoreError
from scheduler.ledger import open_ledger, open_view
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

    with open_view(f"sqlite:///{copy}", kek=kek) as view:
        report = view.verify()
        as_signed = verify_lines(view.export_lines(), checkpoint=signed)
        as_signed_later = verify_lines(view.export_lines(), checkpoint=newer)

    assert report.ok
    assert report.blocks == 2
    assert as_signed.ok
    # Put back, the copy is an old one: nothing but a newer checkpoint tells.
    assert [f"log has {signed.size} leaves" in one for one in as_signed_later.problems] == [True]


def test_rotation_puts_the_new_key_in_the_place_of_the_old(ledger_file: Path) -> None:
    key_file = ledger_file.with_name("skytrunk.db.kek")
    old = kek_from_file(key_file)

    assert recipe("rotate")(ledger_file) == 1

    assert sorted(path.name for path in ledger_file.parent.glob("*.kek*")) == [key_file.name]
    with open_ledger(f"sqlite:///{ledger_file}") as ledger:
        assert ledger.view.verify().ok
    with pytest.raises(KeystoreError, match="is sealed under"):
        open_ledger(f"sqlite:///{ledger_file}", kek=old)
