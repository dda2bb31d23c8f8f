"""What a report over a store of a million turns costs: half a million replies, each with its tries.

    python tests/bench/bench_usage.py [TURNS]

Goals: the report in under 2 s once the table of usage stands, which takes one catch-up after an update.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tui_chat.domain.pricing import CostSource
from tui_chat.domain.usage import Asked, By
from tui_chat.store import usage
from tui_chat.store.database import Database
from tui_chat.store.nodes import encode
from tui_chat.wire.forms import AttemptForm, CostForm, FiguresForm, MoreFigures, SettingsForm, TimingForm, UsageForm

if TYPE_CHECKING:
    import sqlite3

BATCH = 10_000
YEAR = 365 * 86400
START = 1_760_000_000
MODELS = [(f"endpoint{n % 3}", f"maker-{n}/model-{n}") for n in range(12)]


def attempt(number: int, chance: random.Random) -> str:
    endpoint, model = chance.choice(MODELS)
    given, output = chance.randrange(50, 9000), chance.randrange(5, 1500)
    return encode(
        AttemptForm(
            run=f"run{number:09}",
            endpoint=endpoint,
            dialect="openai-chat",
            model=model,
            settings=SettingsForm(temperature=0.7, system="You are brief."),
            began=START + number * YEAR / 500_000,
            finish_reason="stop",
            status=200,
            request_id=f"req_{number:020}",
            figures=FiguresForm(
                usage=UsageForm(input=given, cached=given // 2, reasoning=output // 4, output=output, exact=True),
                timing=TimingForm(
                    ttft_s=round(chance.uniform(0.1, 3), 6),
                    ttft_answer_s=round(chance.uniform(0.1, 9), 6),
                    total_s=round(chance.uniform(3, 90), 6),
                    wait_s=0.0,
                    tok_per_s=round(chance.uniform(8, 300), 6),
                    gap_p50_s=0.012345,
                    gap_p95_s=0.112345,
                    gap_max_s=0.912345,
                ),
                cost=CostForm(
                    usd=Decimal(given * 250 + output * 1500) / 10**9,
                    source=CostSource.COMPUTED,
                    price_checked="2026-11-01",
                ),
                more=MoreFigures(connect_s=0.123456, total_per_s=12.345678, decode_s=12.345678, estimate=1.034567),
            ),
        )
    )


def put(c: sqlite3.Connection, first: int, count: int, chance: random.Random) -> None:
    numbers = range(first + 1, first + count + 1)
    c.executemany(
        "INSERT INTO nodes (id, uid, conversation, role, created, text) VALUES (?, ?, 1, 'assistant', 1, '')",
        [(n, f"n{n}") for n in numbers],
    )
    c.executemany(
        "INSERT INTO attempts (id, node, run, form) VALUES (?, ?, ?, ?)",
        [(n, n, f"run{n}", attempt(n, chance)) for n in numbers],
    )


def timed(name: str, act: object) -> None:
    began = time.perf_counter()
    act()  # pyright: ignore[reportCallIssue,reportUnknownVariableType]
    print(f"{name:40} {(time.perf_counter() - began) * 1000:10.0f} ms")


def main() -> None:
    replies = int(sys.argv[1]) // 2 if len(sys.argv) > 1 else 500_000
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "tui-chat.db")
        database.open()
        database.write(
            lambda c: c.execute("INSERT INTO conversations (id, uid, created, updated) VALUES (1, 'c', 1, 1)")
        ).result()
        for first in range(0, replies, BATCH):
            database.write(lambda c, first=first: put(c, first, min(BATCH, replies - first), chance)).result()
        print(f"{replies:,} requests, {database.path.stat().st_size / 1e6:,.0f} MB on the disk")
        timed("the first report, which makes the table", lambda: usage.report(database, Asked()))
        for by in By:
            timed(f"by {by}", lambda by=by: usage.report(database, Asked(by)))
        timed("the last month", lambda: usage.report(database, Asked(since=date.fromtimestamp(START + YEAR * 11 / 12))))
        timed("every request, one by one", lambda: sum(1 for _ in usage.traffic(database, Asked())))
        print(f"{database.path.stat().st_size / 1e6:,.0f} MB on the disk")
        database.close()


if __name__ == "__main__":
    main()
