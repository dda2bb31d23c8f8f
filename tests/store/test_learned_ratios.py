"""What replies teach about the tokens of a model, kept and shared."""

from __future__ import annotations

from pathlib import Path

from tui_chat.domain.tokens import STARTING, Lesson, TextClass
from tui_chat.store.database import Database
from tui_chat.store.learned import LearnedFacts

LATIN = TextClass.LATIN


def test_a_lesson_is_kept_for_its_model(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    facts = LearnedFacts(database)
    assert facts.ratios("e", "m").of(LATIN) == STARTING[LATIN]
    facts.learn_ratio("e", "m", Lesson(LATIN, 1000, 200))
    assert facts.ratios("e", "m").of(LATIN) == 5
    assert facts.ratios("e", "other").of(LATIN) == STARTING[LATIN]
    assert facts.ratios("e", "m").of(TextClass.JSON) == STARTING[TextClass.JSON]
    database.flush(5)
    assert LearnedFacts(database).ratios("e", "m").of(LATIN) == 5
    database.close()


def test_two_programs_add_up_what_they_learn(tmp_path: Path) -> None:
    one, other = Database(tmp_path / "x.db"), Database(tmp_path / "x.db")
    for database, tokens in ((one, 200), (other, 300)):
        LearnedFacts(database).learn_ratio("e", "m", Lesson(LATIN, 1000, tokens))
        database.flush(5)
    assert LearnedFacts(one).ratios("e", "m").of(LATIN) == 4
    one.close()
    other.close()


def test_a_value_that_makes_no_sense_is_passed_over(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    rows = [("e", "m", f"bytes a token of {kind}", value, 0.0) for kind, value in (("latin", "0 1"), ("no", "1 1"))]
    database.write(lambda c: c.executemany("INSERT INTO learned VALUES (?, ?, ?, ?, ?)", rows)).result(5)
    assert LearnedFacts(database).ratios("e", "m").of(LATIN) == STARTING[LATIN]
    database.close()
