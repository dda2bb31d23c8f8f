"""Random conversations with everything that one can hold, for tests that carry them from place to place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tui_chat.domain.failure import Kind
from tui_chat.domain.lane import Verdict
from tui_chat.domain.pricing import CostSource
from tui_chat.wire.forms import (
    AttemptForm,
    ConversationForm,
    CostForm,
    ErrorForm,
    FiguresForm,
    LaneForm,
    MoreFigures,
    NodeForm,
    PlaceForm,
    ResultForm,
    SettingsForm,
    TimingForm,
    UsageForm,
    VoteForm,
)

SECONDS = st.none() | st.floats(0, 1e5)
COUNTS = st.none() | st.integers(0, 10**9)
STATES = st.sampled_from(["completed", "cancelled", "failed", "interrupted"])
NAMES = st.sampled_from(["", "m", "vendor/模型", 'q"\\\n', "\x1b[31m"])
USD = st.none() | st.decimals(0, 1000, allow_nan=False, allow_infinity=False, places=9)
BODIES = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)

settings_forms = st.builds(
    SettingsForm,
    system=st.none() | st.text(max_size=9),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    max_tokens=st.none() | st.integers(1, 10**6),
    seed=st.none() | st.integers(-(2**40), 2**40),
    stop=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    reasoning_effort=st.sampled_from([None, "low", "high"]),
    extra_body=BODIES,
)
errors = st.none() | st.builds(
    ErrorForm,
    kind=st.sampled_from(Kind),
    message=st.text(max_size=9),
    hint=st.text(max_size=5),
    status=st.none() | st.integers(100, 599),
    retryable=st.booleans(),
)


@st.composite
def figures_forms(draw: st.DrawFn) -> FiguresForm:
    usd: Decimal | None = draw(USD)
    source = CostSource.UNKNOWN if usd is None else draw(st.sampled_from(["reported", "computed", "estimated"]))
    return FiguresForm(
        usage=draw(
            st.builds(
                UsageForm,
                input=COUNTS,
                cached=COUNTS,
                cache_write=COUNTS,
                reasoning=COUNTS,
                output=COUNTS,
                exact=st.booleans(),
            )
        ),
        timing=draw(st.builds(TimingForm, ttft_s=SECONDS, total_s=SECONDS, tok_per_s=SECONDS, gap_max_s=SECONDS)),
        cost=CostForm(usd=usd, source=CostSource(source), price_checked=draw(st.sampled_from([None, "2025-01-02"]))),
        more=draw(st.builds(MoreFigures, connect_s=SECONDS, warm=st.booleans(), reported_usd=USD, note=NAMES)),
    )


@st.composite
def replies(draw: st.DrawFn, text: str) -> dict[str, Any]:
    state = draw(STATES)
    result = ResultForm(
        state=state,
        finish_reason=draw(st.sampled_from([None, "stop", "length"])),
        error=draw(errors),
        skipped=draw(st.integers(0, 3)),
        seams=tuple(sorted(draw(st.lists(st.integers(0, len(text)), max_size=2)))),
        place=draw(st.none() | st.builds(PlaceForm, st.text(max_size=5), st.integers(0, 10**6))),
        kept=draw(st.booleans()),
        tries=draw(st.integers(1, 5)),
        figures=draw(figures_forms()),
    )
    endpoint, model = draw(NAMES), draw(NAMES)
    attempts: list[AttemptForm] = []
    for _ in range(draw(st.integers(0, 2))):
        name = f"run-{draw(st.uuids())}"
        settings = draw(settings_forms)
        began = draw(st.floats(0, 2e9))
        lane = draw(st.sampled_from([{}, {"lane": "lane-b", "repeat": 2}]))
        attempts += [
            AttemptForm(
                run=name,
                n=n,
                resumes=draw(st.integers(0, 2)),
                at=draw(st.floats(0, 100)),
                endpoint=endpoint,
                dialect="openai-chat",
                model=model,
                settings=settings,
                began=began,
                state=draw(STATES),
                error=draw(errors),
                status=draw(st.none() | st.integers(100, 599)),
                request_id=draw(st.none() | st.text(max_size=5)),
                figures=draw(figures_forms()),
                **lane,
            )
            for n in range(1, draw(st.integers(2, 3)))
        ]
    return {
        "state": state,
        "result": result,
        "attempts": attempts,
        "endpoint": endpoint or None,
        "model": model or None,
    }


@st.composite
def conversations(draw: st.DrawFn, at: int = 1_700_000_000, most: int = 7) -> ConversationForm:
    """A tree of up to `most` turns; times of different `at` never meet."""
    name = draw(st.uuids()).hex[:12]
    nodes: list[NodeForm] = []
    for place, micros in enumerate(draw(_times(most))):
        above = draw(st.sampled_from([None, *nodes]))
        role = "user" if above is None or above.role == "assistant" else "assistant"
        text = draw(st.text(max_size=20))
        nodes.append(
            NodeForm(
                id=f"{name}-{place}",
                parent=None if above is None else above.id,
                role=role,
                text=text,
                reasoning=draw(st.text(max_size=5)) or None,
                created=at + micros / 1_000_000,
                **draw(replies(text)) if role == "assistant" else {},
            )
        )
    in_chat, chosen = _choices(draw, nodes)
    return ConversationForm(
        id=name,
        title=draw(st.text(max_size=9)),
        titled=draw(st.booleans()),
        in_chat=in_chat,
        nodes=[_with_choice(node, chosen) for node in nodes],
        created=float(at),
        updated=at + draw(st.floats(0, 1000)),
        pinned=draw(st.booleans()),
        titling=draw(st.none() | st.decimals(0, 1, places=6)),
        draft=draw(st.text(min_size=0 if nodes else 1, max_size=5)),
        queue=draw(st.lists(st.text(max_size=3), max_size=2)),
        endpoint=draw(st.none() | NAMES),
        model=draw(st.none() | NAMES),
        settings=draw(settings_forms),
        **draw(st.sampled_from([{}, {"source": "chatgpt"}])),
        **draw(comparisons([node.id for node in nodes])),
    )


@st.composite
def comparisons(draw: st.DrawFn, turns: list[str]) -> dict[str, Any]:
    """Lanes and votes; most conversations have none."""
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=3) | st.just([]))
    lanes = [
        LaneForm(
            id=f"lane-{name}",
            label=draw(st.text(max_size=3)),
            endpoint=draw(NAMES),
            model=draw(NAMES),
            settings=draw(settings_forms),
            head=draw(st.sampled_from([None, *turns])),
            synced=draw(st.booleans()),
            note=draw(st.text(max_size=5)),
        )
        for name in names
    ]
    votes = [
        VoteForm(
            round=f"round-{number}",
            lane=lane.id,
            verdict=draw(st.sampled_from(Verdict)),
            at=1_700_000_000.0 + number,
            endpoint=lane.endpoint,
            model=lane.model,
            settings=draw(settings_forms),
        )
        for number in range(draw(st.integers(0, 2)))
        for lane in sorted(lanes, key=lambda lane: lane.id)
    ]
    return ({"lanes": lanes} if lanes else {}) | ({"votes": votes} if votes else {})


def _times(most: int) -> st.SearchStrategy[list[int]]:
    """Several turns may come in one microsecond, and a clock may be set back, though not both at once."""
    steps = st.lists(st.integers(0, 99), max_size=most)
    return steps.map(sorted) | st.lists(st.integers(0, 99), max_size=most, unique=True)


def _choices(draw: st.DrawFn, nodes: list[NodeForm]) -> tuple[list[str], set[str]]:
    """A path from the top to somewhere, and what was in chat last below every turn that it does not end at."""
    below: dict[str | None, list[str]] = {}
    for node in nodes:
        below.setdefault(node.parent, []).append(node.id)
    path: list[str] = []
    end = draw(st.integers(0, len(nodes)))
    while len(path) < end and (family := below.get(path[-1] if path else None)):
        path.append(draw(st.sampled_from(family)))
    last = path[-1] if path else None
    parents = [parent for parent in below if parent != last and parent not in path and parent is not None]
    return path, {*path, *(draw(st.sampled_from(below[parent])) for parent in parents)}


def _with_choice(node: NodeForm, chosen: set[str]) -> NodeForm:
    return NodeForm(**{name: getattr(node, name) for name in node.__struct_fields__} | {"in_chat": node.id in chosen})


@st.composite
def stores(draw: st.DrawFn, most: int = 4) -> list[ConversationForm]:
    return [draw(conversations(1_700_000_000 + place)) for place in range(draw(st.integers(0, most)))]
