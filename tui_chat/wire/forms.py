"""Values of the domain as JSON: the shapes that the command line prints, exports hold and the store keeps.

Unknown is null, never 0; keys are added, never removed. Text of foreign files is well-formed Unicode afterwards.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from tui_chat.domain.ask import Place, Settings
from tui_chat.domain.attempts import AttemptRecord, RunRecord
from tui_chat.domain.conversation import Conversation, Node, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Timings, Usage
from tui_chat.domain.failure import Failure, Kind
from tui_chat.domain.lane import LaneRecord, Verdict
from tui_chat.domain.meter import Stats
from tui_chat.domain.pricing import Cost, CostSource
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable

State = Literal["completed", "cancelled", "failed", "interrupted"]


class UsageForm(Struct, frozen=True, kw_only=True):
    """Tokens; `input` includes cached and cache_write, `output` includes reasoning."""

    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    output: int | None = None
    exact: bool = False
    """All of it was counted by the provider."""

    @classmethod
    def of(cls, stats: Stats) -> UsageForm:
        usage = stats.usage
        return cls(
            input=usage.input,
            cached=usage.cached,
            cache_write=usage.cache_write,
            reasoning=usage.reasoning,
            output=usage.output,
            exact=stats.exact,
        )


class TimingForm(Struct, frozen=True, kw_only=True):
    """Seconds, and decode tokens per second."""

    ttft_s: float | None = None
    ttft_answer_s: float | None = None
    total_s: float | None = None
    wait_s: float | None = None
    tok_per_s: float | None = None
    gap_p50_s: float | None = None
    gap_p95_s: float | None = None
    gap_max_s: float | None = None

    @classmethod
    def of(cls, stats: Stats) -> TimingForm:
        return cls(
            ttft_s=_micro(stats.ttft_s),
            ttft_answer_s=_micro(stats.ttft_answer_s),
            total_s=_micro(stats.elapsed_s),
            wait_s=_micro(stats.wait_s),
            tok_per_s=_micro(stats.tok_per_s),
            gap_p50_s=_micro(stats.gap_p50_s),
            gap_p95_s=_micro(stats.gap_p95_s),
            gap_max_s=_micro(stats.gap_max_s),
        )


class CostForm(Struct, frozen=True, kw_only=True):
    """USD as the exact decimal; null is unknown."""

    usd: Decimal | None = None
    source: CostSource = CostSource.UNKNOWN
    price_checked: str | None = None

    @classmethod
    def of(cls, cost: Cost) -> CostForm:
        return cls(usd=cost.usd, source=cost.source, price_checked=cost.price_checked)


class ErrorForm(Struct, frozen=True, kw_only=True):
    kind: Kind
    message: str
    hint: str = ""
    status: int | None = None
    retryable: bool = False

    @classmethod
    def of(cls, failure: Failure) -> ErrorForm:
        return cls(
            kind=failure.kind,
            message=failure.message,
            hint=failure.hint,
            status=failure.status,
            retryable=failure.retryable,
        )

    def failure(self) -> Failure:
        return Failure(self.kind, self.message, self.hint, self.status, self.retryable)


class BatchLineForm(Struct, frozen=True, kw_only=True):
    """What is shown of a line of a batch's output."""

    id: str | int
    state: str
    model: str = ""
    text: str = ""
    reasoning: str | None = None
    usage: UsageForm = UsageForm()
    timing: TimingForm = TimingForm()
    cost: CostForm = CostForm()
    error: ErrorForm | None = None


class SettingsForm(Struct, frozen=True, omit_defaults=True):
    """domain.ask.Settings; what is not there was left to the server."""

    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    extra_body: dict[str, Any] = {}

    @classmethod
    def of(cls, settings: Settings) -> SettingsForm:
        values: dict[str, Any] = {name: getattr(settings, name) for name in cls.__struct_fields__}
        values["extra_body"] = dict(settings.extra_body)
        return cls(**values)

    def settings(self) -> Settings:
        return Settings(**msgspec.structs.asdict(self))


def settings_of(text: str) -> Settings:
    """Stored settings; none where they were damaged."""
    try:
        return msgspec.json.decode(text, type=SettingsForm).settings()
    except msgspec.MsgspecError:
        return Settings()


class TimingsForm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """domain.events.Timings."""

    prompt_s: float | None = None
    decode_s: float | None = None
    tok_per_s: float | None = None


class MoreFigures(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of a Stats that the contract's objects do not hold, for the screen."""

    connect_s: float | None = None
    warm: bool = False
    total_per_s: float | None = None
    decode_s: float = 0.0
    estimate: float | None = None
    reported_usd: Decimal | None = None
    cache_write_1h: int | None = None
    note: str = ""
    """What the reader must know beside the cost."""
    pace: tuple[float, ...] = ()
    server: TimingsForm | None = None


class FiguresForm(Struct, frozen=True, kw_only=True):
    """Usage, timing and cost of a reply or of one of its tries."""

    usage: UsageForm = UsageForm()
    timing: TimingForm = TimingForm()
    cost: CostForm = CostForm()
    more: MoreFigures = MoreFigures()

    @classmethod
    def of(cls, stats: Stats, cost: Cost) -> FiguresForm:
        more = MoreFigures(
            connect_s=_micro(stats.connect_s),
            warm=stats.warm,
            total_per_s=_micro(stats.total_per_s),
            decode_s=round(stats.decode_s, 6),
            estimate=_micro(stats.estimate),
            reported_usd=stats.usage.cost,
            cache_write_1h=stats.usage.cache_write_1h,
            note=cost.note,
            pace=tuple(round(rate, 1) for rate in stats.pace),
            server=None if (own := stats.timings) is None else TimingsForm(**_timings(own)),
        )
        return cls(usage=UsageForm.of(stats), timing=TimingForm.of(stats), cost=CostForm.of(cost), more=more)

    def stats(self, attempts: int) -> Stats:
        usage, timing, more = self.usage, self.timing, self.more
        return Stats(
            elapsed_s=timing.total_s or 0.0,
            attempts=attempts,
            usage=Usage(
                usage.input,
                usage.cached,
                usage.cache_write,
                usage.reasoning,
                usage.output,
                more.reported_usd,
                more.cache_write_1h,
            ),
            exact=usage.exact,
            ttft_s=timing.ttft_s,
            ttft_answer_s=timing.ttft_answer_s,
            wait_s=timing.wait_s or 0.0,
            connect_s=more.connect_s,
            warm=more.warm,
            tok_per_s=timing.tok_per_s,
            now_per_s=None,
            total_per_s=more.total_per_s,
            gap_p50_s=timing.gap_p50_s,
            gap_p95_s=timing.gap_p95_s,
            gap_max_s=timing.gap_max_s,
            silence_s=None,
            decode_s=more.decode_s,
            estimate=more.estimate,
            pace=more.pace,
            timings=None if more.server is None else Timings(**structs.asdict(more.server)),
        )

    def amount(self) -> Cost:
        return Cost(self.cost.usd, self.cost.source, self.cost.price_checked, self.more.note)


class AttemptForm(Struct, frozen=True, kw_only=True):
    """One try of a run. `at`: seconds from the run's beginning to the try's."""

    run: str = ""
    n: int = 1
    resumes: int = 0
    at: float = 0.0
    endpoint: str = ""
    dialect: str = ""
    model: str = ""
    settings: SettingsForm = SettingsForm()
    began: float | None = None
    """Epoch seconds at which the run began."""
    state: State = "completed"
    finish_reason: str | None = None
    error: ErrorForm | None = None
    status: int | None = None
    request_id: str | None = None
    via: str | None = None
    refused: str | None = None
    figures: FiguresForm = FiguresForm()
    lane: str | UnsetType = UNSET
    """Id of the lane of a comparison, and which of its repeats the run was."""
    repeat: int | UnsetType = UNSET

    @classmethod
    def all_of(cls, runs: Iterable[RunRecord]) -> list[AttemptForm]:
        return [cls._of(run, attempt) for run in runs for attempt in run.attempts]

    @classmethod
    def _of(cls, run: RunRecord, attempt: AttemptRecord) -> AttemptForm:
        return cls(
            run=run.id,
            n=attempt.n,
            resumes=attempt.resumes,
            at=round(attempt.at, 6),
            endpoint=run.endpoint,
            dialect=run.dialect,
            model=run.model,
            settings=SettingsForm.of(run.settings),
            began=run.began,
            state=_state(attempt.phase),
            finish_reason=attempt.finish_reason,
            error=None if attempt.failure is None else ErrorForm.of(attempt.failure),
            status=attempt.status,
            request_id=attempt.request_id,
            via=attempt.via,
            refused=attempt.refused,
            # How it went in time is kept once, for the whole reply.
            figures=FiguresForm.of(structs.replace(attempt.stats, pace=()), attempt.cost),
            lane=run.lane or UNSET,
            repeat=run.repeat or UNSET,
        )

    def record(self) -> AttemptRecord:
        return AttemptRecord(
            n=self.n,
            resumes=self.resumes,
            at=self.at,
            phase=Phase(self.state),
            stats=self.figures.stats(1),
            cost=self.figures.amount(),
            finish_reason=self.finish_reason,
            failure=None if self.error is None else self.error.failure(),
            status=self.status,
            request_id=self.request_id,
            via=self.via,
            refused=self.refused,
        )


def runs_of(attempts: Iterable[AttemptForm]) -> tuple[RunRecord, ...]:
    """The tries gathered under their runs, in their order."""
    runs: dict[str, list[AttemptForm]] = {}
    for attempt in attempts:
        runs.setdefault(attempt.run, []).append(attempt)
    return tuple(
        RunRecord(
            id=run,
            endpoint=tries[0].endpoint,
            dialect=tries[0].dialect,
            model=tries[0].model,
            settings=tries[0].settings.settings(),
            began=tries[0].began or 0.0,
            attempts=tuple(attempt.record() for attempt in tries),
            lane=tries[0].lane or "",
            repeat=tries[0].repeat or 0,
        )
        for run, tries in runs.items()
    )


class PlaceForm(Struct, frozen=True):
    stream: str
    sequence: int


class ResultForm(Struct, frozen=True, kw_only=True):
    """How a reply ended."""

    state: State
    finish_reason: str | None = None
    error: ErrorForm | None = None
    skipped: int = 0
    seams: tuple[int, ...] = ()
    """Where in the text the answer was taken up again, in characters."""
    place: PlaceForm | None = None
    kept: bool = False
    tries: int = 1
    figures: FiguresForm = FiguresForm()

    @classmethod
    def of(cls, result: Result) -> ResultForm:
        place = result.place
        return cls(
            state=_state(result.phase),
            finish_reason=result.finish_reason,
            error=None if result.failure is None else ErrorForm.of(result.failure),
            skipped=result.skipped,
            seams=result.seams,
            place=None if place is None else PlaceForm(place.stream, place.sequence),
            kept=result.kept,
            tries=result.stats.attempts,
            figures=FiguresForm.of(result.stats, result.cost),
        )

    def result(self) -> Result:
        return Result(
            phase=Phase(self.state),
            finish_reason=self.finish_reason,
            failure=None if self.error is None else self.error.failure(),
            skipped=self.skipped,
            stats=self.figures.stats(self.tries),
            cost=self.figures.amount(),
            seams=self.seams,
            place=None if self.place is None else Place(self.place.stream, self.place.sequence),
            kept=self.kept,
        )


class NodeForm(Struct, frozen=True, kw_only=True):
    """One turn. `state` is null on a user's turn, which also has no result."""

    id: str
    parent: str | None = None
    role: Literal["user", "assistant"]
    text: str = ""
    reasoning: str | None = None
    state: State | None = None
    created: float | None = None
    """Epoch seconds."""
    endpoint: str | None = None
    model: str | None = None
    in_chat: bool = False
    """Among its siblings it is the one in chat."""
    result: ResultForm | None = None
    attempts: list[AttemptForm] = []

    @classmethod
    def of(cls, node: Node, *, in_chat: bool) -> NodeForm:
        return cls(
            id=node.id,
            parent=node.parent,
            role=node.role,
            text=node.text,
            reasoning=node.reasoning or None,
            state=None if node.role == "user" else _state(node.result.phase if node.result else Phase.INTERRUPTED),
            created=node.created,
            endpoint=node.endpoint or None,
            model=node.model or None,
            in_chat=in_chat,
            result=None if node.result is None else ResultForm.of(node.result),
            attempts=AttemptForm.all_of(node.runs),
        )

    def node(self) -> Node:
        result = self.result
        if result is None and self.role == "assistant":
            result = ResultForm(state=self.state or "completed")
        return Node(
            id=self.id,
            parent=self.parent,
            role=self.role,
            text=well_formed(self.text),
            reasoning=well_formed(self.reasoning or ""),
            endpoint=self.endpoint or "",
            model=self.model or "",
            result=None if result is None else result.result(),
            created=self.created or 0.0,
            runs=runs_of(self.attempts),
        )


class LaneForm(Struct, frozen=True, kw_only=True):
    """A lane of a conversation's comparison."""

    id: str
    label: str = ""
    endpoint: str = ""
    model: str = ""
    settings: SettingsForm = SettingsForm()
    head: str | None = None
    """The turn that its next message follows."""
    synced: bool = True
    note: str = ""

    @classmethod
    def of(cls, lane: LaneRecord) -> LaneForm:
        return cls(
            id=lane.id,
            label=lane.label,
            endpoint=lane.endpoint,
            model=lane.model,
            settings=SettingsForm.of(lane.settings),
            head=lane.head,
            synced=lane.synced,
            note=lane.note,
        )

    def record(self) -> LaneRecord:
        return LaneRecord(
            self.id,
            self.label,
            self.endpoint,
            self.model,
            self.settings.settings(),
            self.head,
            self.synced,
            self.note,
        )


class VoteForm(Struct, frozen=True, kw_only=True):
    """What was said of a lane in one round; `at` in epoch seconds."""

    round: str
    lane: str
    verdict: Verdict
    at: float = 0.0
    endpoint: str = ""
    model: str = ""
    settings: SettingsForm = SettingsForm()


class ConversationForm(Struct, frozen=True, kw_only=True):
    """One conversation of an export: a tree, its nodes parents first."""

    id: str
    title: str = ""
    in_chat: list[str] = []
    """The path in chat, from the first turn on."""
    nodes: list[NodeForm] = []
    titled: bool = False
    """The title is the user's or a model's, not the first words."""
    created: float | None = None
    updated: float | None = None
    pinned: bool = False
    titling: Decimal | None = None
    """USD that it cost to ask models for a title."""
    draft: str = ""
    """What was written and not sent."""
    queue: list[str] = []
    """What was sent and waits for the reply before it."""
    endpoint: str | None = None
    """Where the newest question went; with `model` and `settings` it is where the next one goes."""
    model: str | None = None
    settings: SettingsForm = SettingsForm()
    source: str | UnsetType = UNSET
    """Where an imported one comes from."""
    lanes: list[LaneForm] | UnsetType = UNSET
    """Of its comparison, where there was one."""
    votes: list[VoteForm] | UnsetType = UNSET
    images: dict[str, str] | UnsetType = UNSET
    """The images that its messages refer to: base64 by SHA-256."""

    def conversation(self) -> Conversation:
        """The tree; raises ValueError when a node's parent is not before it, or an id comes twice."""
        tree = Conversation()
        for form in self.nodes:
            if form.id in tree.nodes:
                raise ValueError(form.id)
            if form.parent is not None and form.parent not in tree.nodes:
                raise ValueError(form.parent)
            tree.graft(form.node())
            if form.in_chat:
                tree.chosen[form.parent] = form.id
        for parent, child in zip([None, *self.in_chat], self.in_chat, strict=False):
            if child not in tree.nodes or tree.nodes[child].parent != parent:
                raise ValueError(child)
            tree.chosen[parent] = child
        if self.in_chat:
            tree.chosen.pop(self.in_chat[-1], None)
            tree.head = self.in_chat[-1]
        return tree


def node_forms(conversation: Conversation) -> list[NodeForm]:
    """Every node, parents first, in the order of their making."""
    chosen = set(conversation.chosen.values())
    return [NodeForm.of(node, in_chat=node.id in chosen) for node in conversation.nodes.values()]


def _state(phase: Phase) -> State:
    return phase.value if phase.ended else "interrupted"  # pyright: ignore[reportReturnType]  # the ended phases are the states


def _timings(own: Timings) -> dict[str, float | None]:
    return {"prompt_s": _micro(own.prompt_s), "decode_s": _micro(own.decode_s), "tok_per_s": _micro(own.tok_per_s)}


def _micro(value: float | None) -> float | None:
    """Microseconds are more than a network can mean."""
    return None if value is None else round(value, 6)
