"""What was learned about endpoints, shared between programs."""

from __future__ import annotations

from tests.kit.desk import Desk
from tui_chat.domain.events import Learned
from tui_chat.store.learned import LearnedFacts, take_over

PLACE = ("deepseek", "deepseek-flash")
COUNT = "SELECT count(*) FROM learned"


def test_it_is_known_at_once_and_by_the_next(desk):
    facts = LearnedFacts(desk.database)
    assert facts.refused(*PLACE) == frozenset()
    facts.learn(Learned(*PLACE, "seed"))
    assert facts.refused(*PLACE) == {"seed"}
    assert facts.refused("deepseek", "other") == frozenset()
    desk.flush()
    assert LearnedFacts(desk.database).refused(*PLACE) == {"seed"}


def test_two_programs_undo_nothing_of_each_other(desk):
    other = Desk(desk.path.parent).open()
    one, two = LearnedFacts(desk.database), LearnedFacts(other.database)
    one.learn(Learned(*PLACE, "seed"))
    two.learn(Learned(*PLACE, "top_p"))
    desk.flush()
    other.flush()
    assert LearnedFacts(desk.database).refused(*PLACE) == {"seed", "top_p"}
    other.close()


def test_a_known_fact_is_not_written_again(desk):
    facts = LearnedFacts(desk.database)
    facts.learn(Learned(*PLACE, "seed"))
    desk.do(lambda c: c.execute("DELETE FROM learned"))
    facts.learn(Learned(*PLACE, "seed"))
    desk.flush()
    assert desk.rows(COUNT) == [(0,)]


def test_hostile_names_survive_the_round_trip(desk):
    place = ('a"]\n[x', "m.\x1b[31m/\u202e\ud800")
    facts = LearnedFacts(desk.database)
    facts.learn(Learned(*place, "seed"))
    desk.flush()
    assert facts.refused(*place) == {"seed"}
    assert LearnedFacts(desk.database).refused('a"]\n[x', "m.\x1b[31m/\u202e\ufffd") == {"seed"}


def test_without_a_store_it_lasts_as_long_as_the_program():
    facts = LearnedFacts()
    facts.learn(Learned(*PLACE, "seed"))
    assert facts.refused(*PLACE) == {"seed"}


def test_a_store_that_cannot_be_read_costs_the_memory_alone(tmp_path):
    (tmp_path / "data").touch()
    desk = Desk(tmp_path / "data")
    facts = LearnedFacts(desk.database)
    assert facts.refused(*PLACE) == frozenset()
    facts.learn(Learned(*PLACE, "seed"))
    assert facts.refused(*PLACE) == {"seed"}
    desk.database.close(0.1)


def test_what_an_earlier_version_kept_is_taken_over_once(desk):
    earlier = {PLACE: frozenset({"seed", "top_p"}), ("e", "m"): frozenset({"stop"})}
    desk.do(lambda c: take_over(c, earlier))
    assert desk.rows(COUNT) == [(3,)]
    desk.do(lambda c: c.execute("DELETE FROM learned WHERE value = 'stop'"))
    desk.do(lambda c: take_over(c, earlier))
    assert desk.rows(COUNT) == [(2,)]
    assert LearnedFacts(desk.database).refused(*PLACE) == {"seed", "top_p"}
