"""Sums over the tries of a store."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from tests.kit.desk import Desk
from tests.kit.spending import NOON, spending, tried
from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.usage import Asked, By
from tui_chat.domain.whatif import Request
from tui_chat.store import usage
from tui_chat.store.database import Database
from tui_chat.store.migrations import STEPS
from tui_chat.store.nodes import encode

DAY = 86400.0


def test_a_line_for_each_model_the_dearest_first(desk: Desk) -> None:
    desk.library.add(
        spending(
            "c",
            [tried(NOON, "cheap", "0.001", input=10, output=20, ttft_s=0.3, tok_per_s=100.0)],
            [tried(NOON + 1, "dear", "0.5", input=5, cached=2, reasoning=7, output=9, ttft_s=0.1, tok_per_s=50.0)],
            [tried(NOON + 2, "cheap", "0.002", input=1, output=2, ttft_s=0.5, tok_per_s=90.0)],
        )
    )
    found = usage.report(desk.database, Asked())
    assert [line.key for line in found.lines] == ["dear", "cheap"]
    dear, cheap = found.lines
    assert (dear.usd, dear.input, dear.cached, dear.reasoning, dear.output) == (Decimal("0.5"), 5, 2, 7, 9)
    assert (cheap.usd, cheap.replies, cheap.requests, cheap.input, cheap.output) == (Decimal("0.003"), 2, 2, 11, 22)
    assert (cheap.cached, cheap.ttft_s, cheap.tok_per_s) == (None, pytest.approx(0.4), 95.0)
    assert (found.total.usd, found.total.replies, found.total.ttft_s) == (Decimal("0.503"), 3, 0.3)
    assert (found.first, found.last) == (NOON, NOON + 2)
    assert found.shares() == [1.0, pytest.approx(0.006)]


def test_every_try_counts_and_a_reply_once(desk: Desk) -> None:
    refused = tried(NOON, "m", "0", source=CostSource.ESTIMATED, state="failed", run="r", exact=False)
    partial = tried(NOON, "m", "0.25", state="cancelled", run="s", output=4, exact=False, source=CostSource.ESTIMATED)
    desk.library.add(
        spending("c", [refused, structs.replace(refused, n=2, at=2.0), partial], [tried(NOON, "m", "1", output=1)])
    )
    (line,) = usage.report(desk.database, Asked()).lines
    assert (line.replies, line.requests, line.failed) == (2, 4, 2)
    assert (line.usd, line.estimated, line.exact, line.unpriced) == (Decimal("1.25"), True, False, 0)


def test_a_refused_request_makes_no_sum_an_estimate(desk: Desk) -> None:
    refused = tried(NOON, "m", "0", source=CostSource.ESTIMATED, state="failed", run="r", exact=False)
    desk.library.add(spending("c", [refused, tried(NOON + 1, "m", "0.5", run="r2", input=1, output=1)]))
    (line,) = usage.report(desk.database, Asked()).lines
    assert (line.usd, line.estimated, line.exact) == (Decimal("0.5"), False, True)


def test_the_unknown_is_no_zero(desk: Desk) -> None:
    desk.library.add(
        spending(
            "c",
            [tried(NOON, "local", input=10, output=20)],
            [tried(NOON, "mixed", "0.5", output=1)],
            [tried(NOON + 1, "mixed", output=1)],
        )
    )
    mixed, local = usage.report(desk.database, Asked()).lines
    assert (local.key, local.usd, local.unpriced, local.cached) == ("local", None, 1, None)
    assert (mixed.usd, mixed.unpriced) == (Decimal("0.5"), 1)


def test_days_are_those_of_this_place_the_newest_first(desk: Desk) -> None:
    desk.library.add(spending("c", [tried(NOON)], [tried(NOON + DAY)], [tried(NOON + 1)]))
    lines = usage.report(desk.database, Asked(By.DAY)).lines
    days = [date.fromtimestamp(NOON + DAY).isoformat(), date.fromtimestamp(NOON).isoformat()]
    assert [(line.key, line.replies) for line in lines] == list(zip(days, [1, 2], strict=True))


def test_by_endpoint_and_filtered(desk: Desk) -> None:
    desk.library.add(
        spending(
            "c",
            [tried(NOON, "a", endpoint="x", output=1)],
            [tried(NOON + DAY, "a", endpoint="y", output=2)],
            [tried(NOON + 2 * DAY, "b", endpoint="y", output=4)],
        )
    )
    second = date.fromtimestamp(NOON + DAY)

    def outputs(asked: Asked) -> list[tuple[str, int | None]]:
        return sorted((line.key, line.output) for line in usage.report(desk.database, asked).lines)

    assert outputs(Asked(By.ENDPOINT)) == [("x", 1), ("y", 6)]
    assert outputs(Asked(By.ENDPOINT, model="a")) == [("x", 1), ("y", 2)]
    assert outputs(Asked(endpoint="y")) == [("a", 2), ("b", 4)]
    assert outputs(Asked(since=second)) == [("a", 2), ("b", 4)]
    assert outputs(Asked(until=second)) == [("a", 1)]
    assert usage.report(desk.database, Asked(model="none")).lines == ()


def test_amounts_are_added_to_the_last_digit(desk: Desk) -> None:
    amounts = ["0.1", "0.2", "0.000000000001", "0.0000000000000000012345", "123456789.000001"]
    desk.library.add(spending("c", *([tried(NOON + n, "m", usd, output=1)] for n, usd in enumerate(amounts))))
    assert usage.report(desk.database, Asked()).total.usd == sum(map(Decimal, amounts))


def test_counts_that_mean_nothing_are_left_out(desk: Desk) -> None:
    desk.library.add(spending("c", [tried(NOON, "m", input=2**63, output=-1)], [tried(NOON + 1, "m", output=3)]))
    (line,) = usage.report(desk.database, Asked()).lines
    assert (line.input, line.output) == (None, 3)


def test_what_is_deleted_for_good_is_in_no_sum(desk: Desk) -> None:
    desk.library.add(spending("c", [tried(NOON, "m", "1", output=1)]))
    desk.library.add(spending("d", [tried(NOON, "m", "2", output=1)]))
    assert usage.report(desk.database, Asked()).total.usd == 3
    desk.do(lambda c: c.execute("DELETE FROM conversations WHERE uid = 'd'"))
    assert usage.report(desk.database, Asked()).total.usd == 1
    # The id of a try that is gone may be given again.
    desk.library.add(spending("e", [tried(NOON, "m", "4", output=1)]))
    assert usage.report(desk.database, Asked()).total.usd == 5


def test_a_store_of_before_has_sums_too(tmp_path: Path) -> None:
    path = tmp_path / "tui-chat.db"
    with closing(sqlite3.connect(path)) as c:
        for step in STEPS[:2]:
            for statement in step:
                c.execute(statement)
        c.execute("PRAGMA user_version = 2")
        c.execute("INSERT INTO conversations (id, uid, created, updated) VALUES (1, 'c', 1, 1)")
        c.execute(
            "INSERT INTO nodes (id, uid, conversation, role, text, created) VALUES (7, 'r', 1, 'assistant', '', 5)"
        )
        forms = [encode(tried(NOON, "m", "0.5", output=1)), "{damaged"]
        c.executemany("INSERT INTO attempts (node, run, form) VALUES (7, 'r', ?)", [(form,) for form in forms])
        c.commit()
    database = Database(path)
    report = usage.report(database, Asked())
    assert [(line.key, line.requests, line.usd) for line in report.lines] == [("m", 1, Decimal("0.5")), ("", 1, None)]
    database.close()


def test_a_disk_that_takes_nothing_is_read_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.library.add(spending("c", [tried(NOON, "m", "1", input=3, output=1)]))
    before = usage.report(desk.database, Asked())
    desk.do(lambda c: c.execute("DELETE FROM usage"))
    monkeypatch.setattr(usage, "_brought_up", lambda _: False)
    assert usage.report(desk.database, Asked()) == before
    assert len(list(usage.traffic(desk.database, Asked(conversation="c")))) == 1
    assert desk.rows("SELECT count(*) FROM usage") == [(0,)]
    with desk.database.reading() as c, pytest.raises(sqlite3.OperationalError, match="readonly"):
        c.execute("DELETE FROM usage")


def test_the_traffic_is_each_request_with_tokens(desk: Desk) -> None:
    desk.library.add(
        spending(
            "c",
            [tried(NOON, "m", state="failed"), tried(NOON + 5, "m", "1", input=9, cached=4, output=2)],
            [tried(NOON + 1, "n", output=3)],
        )
    )
    desk.library.add(spending("d", [tried(NOON + 2, "m", "1", output=7)]))
    found = list(usage.traffic(desk.database, Asked(conversation="c")))
    assert [request for request, _ in found] == [
        Request(Usage(output=3), NOON + 1),
        Request(Usage(input=9, cached=4, output=2), NOON + 5),
    ]
    assert [(own.key, own.usd, own.unpriced) for _, own in found] == [("n", None, True), ("m", 1, False)]
    assert len(list(usage.traffic(desk.database, Asked()))) == 3
    assert [own.key for _, own in usage.traffic(desk.database, Asked(turn="ca1"))] == ["n"]
    assert usage.models(desk.database, Asked()) == ["work/m", "work/n"]
    assert usage.models(desk.database, Asked(turn="ca1")) == ["work/n"]


def test_the_tries_of_a_reply(desk: Desk) -> None:
    form = spending("c", [tried(NOON, "m", state="failed"), tried(NOON + 5, "m", "1", output=2)])
    desk.library.add(form)
    desk.do(lambda c: c.execute("INSERT INTO attempts (node, run, form) SELECT id, 'x', '{' FROM nodes"))
    assert [len(run.attempts) for run in usage.tries(desk.database, "ca0")] == [1, 1]
    assert usage.tries(desk.database, "nobody") == ()


FIGURES = st.tuples(
    st.sampled_from("abc"),
    st.none() | st.decimals(0, 1000, allow_nan=False, allow_infinity=False, places=15),
    st.none() | st.integers(0, 10**9),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(FIGURES, min_size=1, max_size=3), min_size=1, max_size=5), st.sampled_from(By))
def test_the_sums_are_those_of_the_tries(replies: list[list[tuple[str, Decimal | None, int | None]]], by: By) -> None:
    made = [
        [tried(NOON + n * DAY, model, None if usd is None else str(usd), output=out) for model, usd, out in reply]
        for n, reply in enumerate(replies)
    ]
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder)).open()
        desk.library.add(spending("c", *made))
        total = usage.report(desk.database, Asked(by)).total
        desk.close()
    amounts = [usd for reply in replies for _, usd, _ in reply if usd is not None]
    assert total.usd == (sum(amounts) if amounts else None)
    assert (total.output or 0) == sum(out or 0 for reply in replies for *_, out in reply)
    assert (total.replies, total.requests) == (len(replies), sum(map(len, replies)))
