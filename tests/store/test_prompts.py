"""What was asked before."""

from __future__ import annotations

from tests.kit.desk import Desk
from tests.kit.keeping import talk
from tui_chat.store import prompts
from tui_chat.store.prompts import questions

NOW = 1_700_000_000.0


def put(desk: Desk, *asked: str) -> None:
    for n, question in enumerate(asked):
        desk.library.add(talk(f"c{n}", question, "an answer", at=NOW + n))
    desk.flush()


def test_the_newest_first_and_each_once(desk: Desk) -> None:
    put(desk, "one", "two", "one", "three")
    assert questions(desk.database) == ["three", "one", "two"]
    assert questions(desk.database, limit=2) == ["three", "one"]


def test_what_holds_a_text_whatever_its_case_and_white_space(desk: Desk) -> None:
    put(desk, "Sort a\n  list", "sort a map", "Straße")
    assert questions(desk.database, "A LIST") == ["Sort a\n  list"]
    assert questions(desk.database, "sort  a") == ["sort a map", "Sort a\n  list"]
    assert questions(desk.database, "STRASSE") == ["Straße"]
    assert questions(desk.database, "an answer") == []
    assert questions(desk.database, "100%_'") == []


def test_what_was_deleted_is_not_brought_back(desk: Desk) -> None:
    put(desk, "one", "two")
    desk.library.delete("c1")
    desk.flush()
    assert questions(desk.database) == ["one"]


def test_not_more_is_held_than_there_is_room(desk: Desk, monkeypatch) -> None:
    put(desk, "a" * 10, "b" * 10, "c" * 10)
    monkeypatch.setattr(prompts, "MOST", 25)
    assert questions(desk.database) == ["c" * 10, "b" * 10]
    monkeypatch.setattr(prompts, "LOOKED_AT", 1)
    assert questions(desk.database, "b") == []
