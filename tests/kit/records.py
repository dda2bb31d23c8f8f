"""Random replies with their tries, as the engine leaves them, for tests that put them down and read them again."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kit.building import builds
from tui_chat.domain.ask import Place, Settings
from tui_chat.domain.attempts import AttemptRecord, RunRecord
from tui_chat.domain.conversation import Node, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Timings, Usage
from tui_chat.domain.failure import Failure, Kind
from tui_chat.domain.meter import Stats
from tui_chat.domain.pricing import Cost, CostSource

texts = st.text(max_size=12)
seconds = st.integers(0, 10**9).map(lambda micro: micro / 10**6)
maybe_seconds = st.none() | seconds
counts = st.none() | st.integers(0, 10**12)
amounts = st.decimals(0, 1000, places=12)
ended = st.sampled_from([phase for phase in Phase if phase.ended])
bodies = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts | st.lists(texts, max_size=2), max_size=2
)

settings = builds(
    Settings,
    system=st.none() | texts,
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    max_tokens=st.none() | st.integers(1, 10**6),
    seed=st.none() | st.integers(-(2**63), 2**63),
    stop=st.lists(texts, max_size=2).map(tuple),
    reasoning_effort=st.none() | texts,
    extra_body=bodies,
)
failures = builds(
    Failure, st.sampled_from(Kind), texts, texts, st.none() | st.integers(100, 599), retryable=st.booleans()
)
stats = builds(
    Stats,
    elapsed_s=seconds,
    attempts=st.integers(1, 9),
    usage=builds(Usage, counts, counts, counts, counts, counts, st.none() | amounts, counts),
    exact=st.booleans(),
    ttft_s=maybe_seconds,
    ttft_answer_s=maybe_seconds,
    wait_s=seconds,
    connect_s=maybe_seconds,
    warm=st.booleans(),
    tok_per_s=maybe_seconds,
    now_per_s=st.none(),
    total_per_s=maybe_seconds,
    gap_p50_s=maybe_seconds,
    gap_p95_s=maybe_seconds,
    gap_max_s=maybe_seconds,
    silence_s=st.none(),
    decode_s=seconds,
    estimate=maybe_seconds,
    pace=st.lists(st.integers(0, 10**4).map(lambda tenths: tenths / 10), max_size=3).map(tuple),
    timings=st.none() | builds(Timings, maybe_seconds, maybe_seconds, maybe_seconds),
)
costs = builds(
    Cost,
    amounts,
    st.sampled_from([source for source in CostSource if source is not CostSource.UNKNOWN]),
    st.none() | st.just("2025-01-02"),
    texts,
) | st.just(Cost(None, CostSource.UNKNOWN))
results = builds(
    Result,
    phase=ended,
    finish_reason=st.none() | texts,
    failure=st.none() | failures,
    skipped=st.integers(0, 9),
    stats=stats,
    cost=costs,
    seams=st.lists(st.integers(0, 12), max_size=2).map(tuple),
    place=st.none() | builds(Place, texts, st.integers(0, 10**6)),
    kept=st.booleans(),
)
tries = builds(
    AttemptRecord,
    n=st.integers(1, 9),
    resumes=st.integers(0, 2),
    at=seconds,
    phase=ended,
    stats=stats.map(lambda one: replace(one, attempts=1, pace=())),
    cost=costs,
    finish_reason=st.none() | texts,
    failure=st.none() | failures,
    status=st.none() | st.integers(100, 599),
    request_id=st.none() | texts,
    via=st.none() | texts,
    refused=st.none() | texts,
)
runs = builds(
    RunRecord,
    id=st.uuids().map(str),
    endpoint=texts,
    dialect=st.sampled_from(["openai-chat", "anthropic"]),
    model=texts,
    settings=settings,
    began=seconds,
    attempts=st.lists(tries, min_size=1, max_size=2).map(tuple),
)
replies = builds(
    Node,
    id=st.uuids().map(str),
    parent=st.just("question"),
    role=st.just("assistant"),
    text=texts,
    reasoning=texts,
    endpoint=texts,
    model=texts,
    result=results,
    created=seconds,
    runs=st.lists(runs, max_size=2, unique_by=lambda run: run.id).map(tuple),
)
