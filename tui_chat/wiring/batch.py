"""A batch put together: lines become jobs, ends become lines, and what the output says is not done again."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from tui_chat.domain.ask import Ask, Settings
from tui_chat.domain.batch import Fault, Item, Shard, Unread, digest, free_name
from tui_chat.domain.conversation import Conversation, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Finished as ReplyFinished
from tui_chat.domain.events import Submitted
from tui_chat.domain.failure import Broken, ConfigError, UsageError
from tui_chat.domain.words import say
from tui_chat.engine.batch import Batch, Finished, Job
from tui_chat.engine.budget import foreseen
from tui_chat.store.batch_input import Source, parser
from tui_chat.store.batch_output import BatchOutput, Standing, Standings, peek
from tui_chat.wire.forms import SettingsForm
from tui_chat.wiring.results import ask_object
from tui_chat.wiring.targets import Choice, NoEndpoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from decimal import Decimal
    from pathlib import Path

    from tui_chat.domain.template import Template
    from tui_chat.engine.batch import BatchEvent, Work
    from tui_chat.engine.reply import Target
    from tui_chat.wiring.house import House

_json = msgspec.json.Encoder()


class Plan(Struct, frozen=True):
    """What a batch is to do."""

    input: Path | None
    """None: stdin."""
    choice: Choice = field(default_factory=Choice)
    """For items that say nothing else."""
    format: str = "jsonl"
    template: Template | None = None
    shard: Shard = field(default_factory=Shard)
    retry_failed: bool = False
    priced: bool = False
    """Items without a known price are faults."""

    def with_parts(self, template: Template | None, shard: Shard) -> Plan:
        return replace(self, template=template, shard=shard)


class Counts:
    """What became of the lines of an input."""

    def __init__(self) -> None:
        self.read = 0
        """Lines that hold an item of this shard, faulty ones among them."""
        self.faults = 0
        self.done = 0
        """Have a line in the output already."""
        self.failed_before = 0
        """Have one that says failed, and are left as they are."""
        self.changed = 0
        """Were run again, as their input has changed."""
        self.unread: Counter[Unread] = Counter()
        """Of the faults those of lines that are no JSON object at all, or not even text."""


class Reading:
    """Makes the jobs of an input, against what an output says."""

    def __init__(self, house: House, plan: Plan, source: Source, standings: Standings) -> None:
        self.counts = Counts()
        self.fault: Callable[[str], None] = lambda line: None
        """Hears of each line that cannot be run."""
        self._plan = plan
        self._source = source
        self._standings = standings
        self._targets = _Targets(house, plan)

    async def jobs(self) -> AsyncGenerator[Job, None]:
        """What is to be run. Raises ConfigError, Broken where the command's own choice cannot be asked."""
        counts = self.counts
        async for found in self._items():
            if isinstance(found, Fault):
                # Of several shards one tells.
                if self._plan.shard.holds(found.line):
                    counts.read += 1
                    if found.unread is not None:
                        counts.unread[found.unread] += 1
                    self._wrong(found.line)
                continue
            item = self._named(found)
            if not self._plan.shard.holds(item.id):
                self._standings.see(item.id)
                continue
            counts.read += 1
            job = await self._job(item)
            if job is not None and self._due(job):
                yield job

    async def _items(self) -> AsyncGenerator[Item | Fault, None]:
        reads = parser(self._plan.format, self._source.name, self._plan.template)
        async for number, line in self._source.lines():
            for found in reads.feed(number, line):
                yield found
        for found in reads.finish():
            yield found

    def _named(self, item: Item) -> Item:
        """An item without an id is called by its content, and by a number where the same stands there again."""
        return item if item.named else replace(item, id=free_name(item.id, self._standings.seen))

    async def _job(self, item: Item) -> Job | None:
        if self._standings.seen(item.id):
            self._wrong(say("batch.duplicate", where=item.where, id=item.id))
            return None
        self._standings.see(item.id)
        target = await self._targets.of(item)
        if isinstance(target, str):
            self._wrong(target)
            return None
        return Job(item, target, content_hash(item, target))

    def _due(self, job: Job) -> bool:
        counts = self.counts
        match self._standings.standing(job.item.id, job.hash):
            case Standing.NEW:
                return True
            case Standing.CHANGED:
                counts.changed += 1
                return True
            case Standing.FAILED if self._plan.retry_failed:
                return True
            case Standing.FAILED:
                counts.failed_before += 1
            case Standing.DONE:
                counts.done += 1
        return False

    def _wrong(self, line: str) -> None:
        self.counts.faults += 1
        self.fault(line)


class _Targets:
    """Whom items go to; looked up once for each endpoint and model that an input names."""

    def __init__(self, house: House, plan: Plan) -> None:
        self._house = house
        self._plan = plan
        self._known: dict[tuple[str | None, str | None], Target | str] = {}

    async def of(self, item: Item) -> Target | str:
        """The item's target, or the sentence why it has none; raises where the command's own choice has none."""
        which = (item.endpoint, item.model)
        if which not in self._known:
            self._known[which] = await self._found(item)
        found = self._known[which]
        if isinstance(found, str):
            return say("batch.line", where=item.where, fault=found)
        if item.settings == Settings():
            return found
        return replace(found, settings=item.settings.over(found.settings))

    async def _found(self, item: Item) -> Target | str:
        own = item.endpoint is not None or item.model is not None
        try:
            target = await asyncio.to_thread(self._house.targets.choose, self._choice(item))
            target = await self._house.targets.completed(target)
            if self._plan.priced and target.price is None:
                raise UsageError(say("usage.cap_without_price", model=target.model))
        except NoEndpoint:
            raise
        except (ConfigError, UsageError) as error:
            if not own:
                raise
            return str(error)
        except Broken as broken:
            if not own:
                raise
            return broken.failure.line
        return target

    def _choice(self, item: Item) -> Choice:
        choice = self._plan.choice
        if item.endpoint is None:
            return replace(choice, model=item.model or choice.model)
        place, model = self._house.targets.flagged(choice)
        # A model that was named for another endpoint is not this one's.
        kept = model if place in (None, item.endpoint) else None
        return replace(choice, endpoint=item.endpoint, model=item.model or kept)


def content_hash(item: Item, target: Target) -> str:
    """16 hex digits of what decides the request: endpoint, model, settings and messages."""
    messages = [(message.role, message.text) for message in item.messages]
    form = (target.endpoint.name, target.model, SettingsForm.of(target.settings), messages)
    return digest(_json.encode(form))


class Opened(Struct, frozen=True):
    """A batch ready to run, with its files."""

    batch: Batch
    reading: Reading
    output: BatchOutput
    expected: int | None
    """Items in the input, other shards' left out; about, where an input is sharded. None: not known."""

    async def run(self) -> None:
        """Run it and leave one line an item. Raises StoreError for what the output does not take."""
        try:
            await self.batch.run()
        finally:
            await asyncio.to_thread(self.output.compact)


@asynccontextmanager
async def opened_batch(
    house: House,
    plan: Plan,
    source: Source,
    output: Path,
    concurrency: int,
    cap: Decimal | None = None,
    *,
    keep: bool = False,
) -> AsyncGenerator[Opened]:
    """The output is taken for as long as this is open; with `keep`, items become conversations of the store.

    Raises UsageError where the output is in use, or none.
    """
    taken = await asyncio.to_thread(BatchOutput, output)
    try:
        expected = await asyncio.to_thread(source.count, plan.format)
        reading = Reading(house, plan, source, taken.standings)
        batch = Batch(house.engine, reading.jobs(), concurrency, cap, taken.spent)
        keep = keep and house.chats.saving

        def hear(event: BatchEvent) -> None:
            # What was stopped has no line, and is run again.
            if isinstance(event, Finished) and not (batch.stopped and event.work.draft.phase is Phase.CANCELLED):
                _put_down(taken, event.work, saved=keep)
                if keep:
                    save(house, event.work)

        batch.listeners.append(hear)
        yield Opened(batch, reading, taken, expected and expected // plan.shard.of)
    finally:
        await asyncio.to_thread(taken.close)


def _put_down(output: BatchOutput, work: Work, *, saved: bool) -> None:
    line = {"id": work.job.item.given, "hash": work.job.hash, **ask_object(work, saved=saved)}
    output.append(work.id, work.job.hash, work.draft.phase.value, line)


def save(house: House, work: Work) -> None:
    """Put an item down as a conversation, as a chat would have been."""
    new_id, began = house.engine.new_id, work.run.began
    tree = Conversation()
    parent: str | None = None
    for message in work.ask.messages:
        parent = tree.add(parent, message.role, message.text, id=new_id(), created=began).id
    assert parent is not None
    target = work.target
    reply = tree.add(
        parent, "assistant", "", endpoint=target.endpoint.name, model=target.model, id=new_id(), created=began
    )
    journal = house.chats.journal(new_id(), tree)
    journal.hear(Submitted(tree.nodes[parent], reply, work.run))
    draft = work.draft
    result = Result(
        draft.phase, draft.finish_reason, draft.failure, draft.skipped, work.stats(), work.cost(), tuple(draft.seams)
    )
    journal.hear(ReplyFinished(tree.finish(reply.id, draft.text, draft.reasoning, result, (work.record(),))))


class Forecast(Struct):
    """What a batch would take if it were run now."""

    items: int = 0
    input: float = 0.0
    output: float = 0.0
    usd: Decimal | None = None
    """None: no price is known."""
    unpriced: int = 0


async def forecast(house: House, reading: Reading) -> Forecast:
    """Add up what the jobs are likely to take; nothing is sent."""
    found = Forecast()
    async for job in reading.jobs():
        target = job.target
        ask = Ask(target.endpoint, target.model, job.item.messages, target.settings)
        likely = foreseen(house.engine, ask, target.price)
        found.items += 1
        found.input += likely.input
        found.output += likely.output
        if likely.cost.usd is None:
            found.unpriced += 1
        else:
            found.usd = likely.cost.usd + (found.usd or 0)
    return found


async def faults(house: House, plan: Plan, source: Source, tell: Callable[[str], None]) -> Counts:
    """Tell of every line that cannot be run, without sending anything; what there is."""
    await source.keep()
    reading = Reading(house, plan, source, Standings())
    reading.fault = tell
    async for _ in reading.jobs():
        pass
    return reading.counts


def standings_of(path: Path | None) -> Standings:
    """What an output says now, read without taking it."""
    with suppress(FileNotFoundError):
        if path is not None:
            return peek(path)
    return Standings()
