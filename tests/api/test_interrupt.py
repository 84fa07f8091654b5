"""Ctrl-C comes out as Ctrl-C, wherever it falls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, time
from api.cli.interrupt import spare_imports
{first}
spare_imports()
try:
    {what}
    for _ in range(1000):
        time.sleep(0.01)
    print("never interrupted")
except KeyboardInterrupt:
    print("interrupted")
"""

STRIKE = "import os, signal; os.kill(os.getpid(), signal.SIGINT); "
GO_ON = "print('whole')"


def _run(folder: Path, what: str, first: str = "") -> list[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM.format(what=what, first=first))
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(program)], cwd=folder, env={"PYTHONPATH": f"{root}:{folder}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_an_import_is_done_before_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "struck.py").write_text(STRIKE + GO_ON)
    assert _run(tmp_path, "import struck") == ["whole", "interrupted"]


def test_code_made_on_the_fly_is_done_before_it_is_interrupted(tmp_path: Path) -> None:
    # Python would end by the signal, and not with an exit code, had it struck inside `exec`.
    assert _run(tmp_path, f"exec({STRIKE + GO_ON!r})") == ["whole", "interrupted"]


def test_all_else_is_interrupted_at_once(tmp_path: Path) -> None:
    assert _run(tmp_path, STRIKE + GO_ON) == ["interrupted"]


def test_the_next_interrupt_is_held_back_as_well(tmp_path: Path) -> None:
    (tmp_path / "struck.py").write_text(STRIKE + GO_ON)
    twice = """
    try:
        import struck
        time.sleep(60)
    except KeyboardInterrupt:
        print("once")
    del __import__("sys").modules["struck"]
    import struck"""
    assert _run(tmp_path, twice.strip()) == ["whole", "once", "whole", "interrupted"]


def test_who_ignores_interrupts_is_not_interrupted(tmp_path: Path) -> None:
    ignore = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    end = "; print('unharmed', flush=True); os._exit(0)"
    assert _run(tmp_path, STRIKE + GO_ON + end, ignore) == ["whole", "unharmed"]
