"""What a batch is made of, as values."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tui_chat.domain.batch import Shard, Totals, free_name, shard
from tui_chat.domain.draft import Draft
from tui_chat.domain.events import Completed, Ended, Failed, Stamped, Text, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.meter import Meter
from tui_chat.domain.pace import Pace
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource
from tui_chat.domain.spread import Spread
from tui_chat.domain.template import BadTemplate, MissingField, Template


@pytest.mark.parametrize("of", [2, 3, 8])
def test_shards_part_the_ids(of: int) -> None:
    ids = [f"item-{n}" for n in range(3000)]
    parts = [[id for id in ids if Shard(n, of).holds(id)] for n in range(1, of + 1)]
    assert sorted(id for part in parts for id in part) == sorted(ids)
    assert all(len(part) == pytest.approx(3000 / of, rel=0.15) for part in parts)


def test_a_shard_is_the_same_in_every_version() -> None:
    assert [id for id in "abcdefgh" if Shard(2, 3).holds(id)] == ["a", "b"]


@pytest.mark.parametrize(("text", "found"), [("2/8", Shard(2, 8)), ("1/1", Shard(1, 1)), ("8/8", Shard(8, 8))])
def test_shards_as_they_are_written(text: str, found: Shard) -> None:
    assert shard(text) == found


@pytest.mark.parametrize("text", ["0/8", "9/8", "2", "2/", "/2", "-1/2", "1/0", "a/b", " 1/2", "1/2/3"])
def test_what_is_no_shard(text: str) -> None:
    assert shard(text) is None


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 100, 1000])
def test_a_free_name_follows_those_that_are_taken(count: int) -> None:
    taken = {"x"} | {f"x-{n}" for n in range(2, count + 1)} if count else set[str]()
    looked: list[str] = []

    def is_taken(name: str) -> bool:
        looked.append(name)
        return name in taken

    assert free_name("x", is_taken) == ("x" if not count else f"x-{count + 1}")
    assert len(looked) <= 25


def test_percentiles_are_right_to_one_percent() -> None:
    rng = random.Random(2)
    values = [rng.lognormvariate(0, 2) for _ in range(5000)]
    spread = Spread()
    for value in values:
        spread.add(value)
    spread.add(None)
    values.sort()
    for percent in (1, 50, 95, 99):
        assert spread.percentile(percent) == pytest.approx(values[percent * 50 - 1], rel=0.011)
    assert spread.percentile(100) == pytest.approx(values[-1], rel=0.011)
    assert (spread.count, spread.max) == (5000, values[-1])
    assert spread.mean == pytest.approx(sum(values) / 5000)


def test_a_spread_of_nothing() -> None:
    assert (Spread().percentile(50), Spread().mean) == (None, None)


def test_a_burst_of_refusals_is_one_cut() -> None:
    pace = Pace(16)
    for _ in range(16):
        pace.throttled(now=10.0, sent=9.0, seconds=2.0)
    assert (pace.limit, pace.until) == (8, 12.0)
    pace.throttled(now=13.0, sent=12.0, seconds=0.5)
    assert (pace.limit, pace.until) == (4, 13.5)


def test_the_pace_grows_back_and_no_further() -> None:
    pace = Pace(8)
    for now in range(10):
        pace.throttled(float(now), float(now), 0)
    assert pace.limit == 1
    answers = 0
    while pace.limit < 8:
        pace.answered()
        answers += 1
        assert answers < 60
    assert answers > 8
    for _ in range(100):
        pace.answered()
    assert pace.limit == 8


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Greet {name}!", "Greet Ada!"),
        ("{{{name}}}", "{Ada}"),
        ("{the age} {name!r} {x:>3}", "36 quoted formatted"),
        ("{name}{name}", "AdaAda"),
        ("none", "none"),
        ("{a.b[0]}", "dotted"),
    ],
)
def test_templates(template: str, text: str) -> None:
    values = {"name": "Ada", "the age": "36", "name!r": "quoted", "x:>3": "formatted", "a.b[0]": "dotted"}
    assert Template(template).render(values) == text


@pytest.mark.parametrize("template", ["{", "}", "{}", "a {b"])
def test_templates_that_cannot_be_read(template: str) -> None:
    with pytest.raises(BadTemplate):
        Template(template)


def test_a_field_that_is_not_there() -> None:
    with pytest.raises(MissingField, match="name"):
        Template("{name}").render({})


def ended(*events: object) -> tuple[Draft, Meter]:
    draft, meter = Draft(), Meter()
    for at, event in enumerate(events):
        stamped = Stamped("main", float(at), event)  # pyright: ignore[reportArgumentType]
        draft.fold(stamped)
        meter.fold(stamped)
    return draft, meter


def test_totals() -> None:
    totals = Totals()
    draft, meter = ended(Text("a"), Text("b"), Usage(input=10, output=2), Ended(Completed("stop")))
    totals.add(draft, meter.stats(3), Cost(Decimal("0.5"), CostSource.COMPUTED))
    draft, meter = ended(Ended(Failed(failure(Kind.SERVER, "x"))))
    totals.add(draft, meter.stats(0), UNKNOWN)
    draft, meter = ended(Text("abcdefgh"), Ended(Failed(failure(Kind.RESET, "x"))))
    totals.add(draft, meter.stats(1), Cost(Decimal("0.25"), CostSource.ESTIMATED))
    assert totals.items == 3
    assert totals.failures == {"server": 1, "reset": 1}
    assert (totals.usd, totals.estimated, totals.unpriced) == (Decimal("0.75"), True, 0)
    assert (totals.input, totals.output, totals.exact) == (10, 4, False)
    assert totals.total.count == 1
