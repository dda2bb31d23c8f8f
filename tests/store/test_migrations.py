"""Files of earlier versions, brought to this one with what is in them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tui_chat.domain.pricing import CostSource
from tui_chat.store.database import Database
from tui_chat.store.ledger import Ledger
from tui_chat.store.library import Library
from tui_chat.store.migrations import STEPS, VERSION
from tui_chat.store.nodes import encode
from tui_chat.wire.forms import CostForm, FiguresForm, ResultForm


@pytest.mark.parametrize("source", [CostSource.ESTIMATED, CostSource.COMPUTED])
def test_the_first_schema_goes_on_with_its_conversations(tmp_path: Path, source: CostSource) -> None:
    path = tmp_path / "tui-chat.db"
    cost = CostForm(usd=Decimal("0.5"), source=source)
    result = encode(ResultForm(state="completed", figures=FiguresForm(cost=cost)))
    with closing(sqlite3.connect(path)) as c:
        for statement in STEPS[0]:
            c.execute(statement)
        c.execute("PRAGMA user_version = 1")
        c.execute(
            "INSERT INTO conversations (id, uid, title, created, updated, turns, cost)"
            " VALUES (1, 'aaaa', 'T', 1, 1, 2, '0.5')"
        )
        c.execute("INSERT INTO nodes (id, uid, conversation, role, text, created) VALUES (1, 'q', 1, 'user', 'a', 1)")
        c.execute(
            "INSERT INTO nodes (id, uid, conversation, parent, role, text, created, state, cost, result)"
            " VALUES (2, 'r', 1, 1, 'assistant', 'b', 1, 'completed', '0.5', ?)",
            (result,),
        )
        c.commit()
    database = Database(path)
    (summary,) = Library(database).list()
    assert (summary.title, summary.cost, summary.estimated) == ("T", Decimal("0.5"), source is CostSource.ESTIMATED)
    assert [node.text for node in Library(database).load("aaaa").conversation.nodes.values()] == ["a", "b"]
    with database.reading() as c:
        assert c.execute("PRAGMA user_version").fetchone() == (VERSION,)
    database.close()


def test_what_was_spent_lately_is_taken_over(tmp_path: Path) -> None:
    path, now = tmp_path / "tui-chat.db", time.time()
    with closing(sqlite3.connect(path)) as c:
        for statement in (*STEPS[0], *STEPS[1]):
            c.execute(statement)
        c.execute("PRAGMA user_version = 2")
        c.execute("INSERT INTO conversations (id, uid, created, updated) VALUES (1, 'aaaa', 1, 1)")
        for number, (age, cost) in enumerate([(5, "0.25"), (4, "0.0000001"), (3, None), (400_000, "7")]):
            c.execute(
                "INSERT INTO nodes (id, uid, conversation, role, text, created, cost)"
                " VALUES (?, ?, 1, 'user', '', 1, ?)",
                (round((now - age) * 10), f"n{number}", cost),
            )
        c.commit()
    database = Database(path)
    assert Ledger(database).spent_since(now - 3600) == Decimal("0.2500001")
    assert Ledger(database).spent_since(now - 900_000) == Decimal("0.2500001"), "long ago is no day's business"
    database.close()


def test_sums_of_all_programs_are_those_of_nobody_at_work(tmp_path: Path) -> None:
    path = tmp_path / "tui-chat.db"
    with closing(sqlite3.connect(path)) as c:
        for statement in (statement for step in STEPS[:4] for statement in step):
            c.execute(statement)
        c.execute("PRAGMA user_version = 4")
        c.execute("INSERT INTO spending VALUES (1900000, '0.25')")
        c.commit()
    database = Database(path)
    ledger = Ledger(database)
    ledger.book(1_900_000 * 900.0, Decimal("0.5"))
    assert ledger.spent_since(1_900_000 * 900.0) == Decimal("0.75")
    database.close()
