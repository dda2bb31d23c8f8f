"""What was spent, kept and shared."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.kit.desk import Desk
from tui_chat.engine.ledger import Tally
from tui_chat.store.database import Database
from tui_chat.store.ledger import QUARTER_S, Ledger, book

D = Decimal
MIDNIGHT = 1_795_305_600.0 + 5.75 * 3600
"""Of a day in Kathmandu, whose time is a quarter of an hour off."""


def test_an_amount_counts_at_once_and_stays(desk: Desk) -> None:
    ledger = Ledger(desk.database)
    ledger.book(MIDNIGHT - 1, D("0.5"))
    ledger.book(MIDNIGHT, D("0.1"))
    ledger.book(MIDNIGHT + 50_000, D("0.0000001"))
    assert ledger.spent_since(MIDNIGHT) == D("0.1000001")
    desk.flush()
    assert ledger.spent_since(MIDNIGHT) == D("0.1000001")
    assert Ledger(desk.database).spent_since(MIDNIGHT) == D("0.1000001")
    assert ledger.spent_since(MIDNIGHT - QUARTER_S) == D("0.6000001")


def test_a_sum_says_whether_a_part_of_it_is_an_estimate(desk: Desk) -> None:
    ledger, other, tally = Ledger(desk.database), Ledger(desk.database), Tally()
    for each in (ledger, tally):
        each.book(MIDNIGHT - 1, D("0.5"), estimated=True)
        each.book(MIDNIGHT, D("0.1"))
        assert (each.estimated_since(MIDNIGHT), each.estimated_since(MIDNIGHT - QUARTER_S)) == (False, True)
        each.book(MIDNIGHT, D("0.1"), estimated=True)
        each.book(MIDNIGHT, D("0.1"))
        assert each.estimated_since(MIDNIGHT)
    desk.flush()
    assert other.spent_since(MIDNIGHT) == D("0.3")
    assert other.estimated_since(MIDNIGHT)


def test_what_dead_programs_estimated_stays_an_estimate(desk: Desk) -> None:
    desk.do(lambda c: book(c, MIDNIGHT, D("0.1"), estimated=True))
    desk.do(lambda c: book(c, MIDNIGHT, D("0.1")))
    ledger = Ledger(desk.database)
    assert ledger.spent_since(MIDNIGHT) == D("0.2")
    assert ledger.estimated_since(MIDNIGHT)


def test_what_costs_nothing_is_not_written_down(desk: Desk) -> None:
    Ledger(desk.database).book(MIDNIGHT, D(0))
    desk.flush()
    assert desk.rows("SELECT count(*) FROM spending") == [(0,)]


def test_what_is_long_gone_is_let_go(desk: Desk) -> None:
    ledger = Ledger(desk.database)
    ledger.book(MIDNIGHT - 3 * 86_400, D("0.1"))
    ledger.book(MIDNIGHT, D("0.2"))
    desk.flush()
    assert desk.rows("SELECT usd FROM spending") == [("0.2",)]


def test_what_dead_programs_have_spent_adds_up(desk: Desk) -> None:
    for _ in range(2):
        desk.do(lambda c: book(c, MIDNIGHT, D("0.1")))
    desk.do(lambda c: book(c, MIDNIGHT, D(0)))
    Ledger(desk.database).book(MIDNIGHT, D("0.5"))
    desk.flush()
    assert Ledger(desk.database).spent_since(MIDNIGHT) == D("0.7")


def test_an_amount_on_its_way_to_the_disk_counts_once(desk: Desk) -> None:
    ledger = Ledger(desk.database)
    for number in range(1, 200):
        ledger.book(MIDNIGHT, D("0.01"))
        assert ledger.spent_since(MIDNIGHT) == number * D("0.01")


def test_programs_on_the_same_data_see_each_others_spending(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "data").open()
    one, two = Ledger(desk.database), Ledger(other.database)
    one.book(MIDNIGHT, D("0.1"))
    two.book(MIDNIGHT + 1, D("0.2"))
    desk.flush()
    other.flush()
    assert one.spent_since(MIDNIGHT) == two.spent_since(MIDNIGHT) == D("0.3")
    other.close()


def test_without_keeping_it_reads_and_writes_nothing(desk: Desk) -> None:
    Ledger(desk.database).book(MIDNIGHT, D("0.1"))
    desk.flush()
    unsaved = Ledger(desk.database, keep=False)
    unsaved.book(MIDNIGHT, D("0.2"))
    unsaved.answered("e", "m", 100)
    assert unsaved.spent_since(MIDNIGHT) == D("0.3")
    assert unsaved.answer_tokens("e", "m") == 100
    desk.flush()
    assert Ledger(desk.database).spent_since(MIDNIGHT) == D("0.1")
    assert Ledger(desk.database).answer_tokens("e", "m") is None


def test_where_there_is_no_file_none_is_made(tmp_path: Path) -> None:
    database = Database(tmp_path / "none" / "x.db")
    ledger = Ledger(database, keep=False)
    assert ledger.spent_since(0) == 0
    assert ledger.answer_tokens("e", "m") is None
    assert not database.path.parent.exists()


def test_a_file_that_cannot_be_read_leaves_what_was_read_last(desk: Desk) -> None:
    ledger = Ledger(desk.database)
    ledger.book(MIDNIGHT, D("0.1"))
    desk.flush()
    assert ledger.spent_since(MIDNIGHT) == D("0.1")
    desk.do(lambda c: c.execute("DROP TABLE spending"))
    assert ledger.spent_since(MIDNIGHT) == D("0.1")


def test_the_mean_of_the_answers_is_kept_and_shared(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "data").open()
    one, two = Ledger(desk.database), Ledger(other.database)
    assert one.answer_tokens("e", "m") is None
    one.answered("e", "m", 100)
    one.answered("e", "m", 200)
    assert one.answer_tokens("e", "m") == 150
    assert one.answer_tokens("e", "other") is None
    desk.flush()
    two.answered("e", "m", 600)
    other.flush()
    assert Ledger(desk.database).answer_tokens("e", "m") == 300
    other.close()


def test_a_count_that_makes_no_sense_is_passed_over(desk: Desk) -> None:
    desk.do(lambda c: c.execute("INSERT INTO learned VALUES ('e', 'm', 'tokens of answers', 'x', 0)"))
    ledger = Ledger(desk.database)
    assert ledger.answer_tokens("e", "m") is None
    ledger.answered("e", "m", 7)
    desk.flush()
    assert Ledger(desk.database).answer_tokens("e", "m") == 7


def test_a_tally_is_a_ledger_for_as_long_as_the_program_runs() -> None:
    tally = Tally()
    for at, usd in ((MIDNIGHT - 1, "5"), (MIDNIGHT, "0.1"), (MIDNIGHT + 9, "0.2")):
        tally.book(at, D(usd))
    assert tally.spent_since(MIDNIGHT) == D("0.3")
    tally.book(MIDNIGHT + 3 * 86_400, D(1))
    assert tally.spent_since(0) == D(1), "what is older than a day is not asked for"
    tally.answered("e", "m", 100)
    tally.answered("e", "m", 101)
    assert tally.answer_tokens("e", "m") == 100.5
