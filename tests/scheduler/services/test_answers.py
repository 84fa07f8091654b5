"""Answers that are kept: by question, the last ones, worked out once for all who ask."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from scheduler.services.answers import Answers


def test_an_answer_is_worked_out_once_and_the_oldest_goes() -> None:
    asked: list[str] = []

    def of(question: str) -> str:
        def work_out() -> str:
            asked.append(question)
            return question.upper()

        return answers.of(question, work_out)

    answers: Answers[str] = Answers(kept=2)
    assert [of(one) for one in ("a", "b", "a", "c", "a", "b")] == ["A", "B", "A", "C", "A", "B"]
    assert asked == ["a", "b", "c", "b"]


def test_of_many_who_ask_at_once_one_works_it_out() -> None:
    answers: Answers[int] = Answers(kept=2)
    worked: list[int] = []
    all_there = threading.Barrier(8)

    def work_out() -> int:
        worked.append(1)
        return 7

    def ask(_: int) -> int:
        all_there.wait(timeout=30)
        return answers.of("question", work_out)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [7] * 8
    assert len(worked) == 1


def test_what_raises_is_not_kept() -> None:
    answers: Answers[int] = Answers(kept=2)
    with pytest.raises(ZeroDivisionError):
        answers.of("question", lambda: 1 // 0)
    assert answers.of("question", lambda: 1) == 1
