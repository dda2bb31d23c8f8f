"""The real program, killed with -9 at random moments in the middle of a batch; the server counts what it was asked.

`TUI_CHAT_BATCH_KILLS=20 pytest tests/cli/test_batch_kill.py` kills it so often.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

from tests.cli.conftest import point_to
from tests.kit.program import Program
from tests.kit.serving import Asked, Canned, canned_server

KILLS = int(os.environ.get("TUI_CHAT_BATCH_KILLS", "4"))
ITEMS = 80 * KILLS
ANSWER_S = 0.08
BODY = (
    b'data: {"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
)


class Counting:
    """Answers after a moment, and counts the requests for each id."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Canned:
        id = json.loads(asked.body)["messages"][-1]["content"]
        with self._lock:
            self.asked[id] += 1
        time.sleep(random.uniform(0, 2 * ANSWER_S))
        return Canned(BODY, content_type="text/event-stream")

    def taken(self) -> Counter[str]:
        with self._lock:
            return Counter(self.asked)


def finished(output: Path) -> list[str]:
    """The ids of the whole lines of an output."""
    whole = output.read_bytes().rpartition(b"\n")[0] if output.exists() else b""
    return [json.loads(line)["id"] for line in whole.splitlines()]


def test_killed_again_and_again_no_item_is_lost_or_done_twice(program: Program, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    ids = [f"item-{n}" for n in range(ITEMS)]
    source.write_text("".join(json.dumps({"id": id, "prompt": id}) + "\n" for id in ids))
    counting = Counting()
    command = ("-m", "m", "batch", str(source), "-o", str(output), "--concurrency", "8", "--no-save")
    done: list[str] = []
    asked: Counter[str] = Counter()
    with canned_server(counting.answer) as server:
        point_to(program, server.base_url)
        for _ in range(KILLS):
            with program.start(*command) as process:
                while len(finished(output)) == len(done) and process.poll() is None:
                    time.sleep(0.005)
                time.sleep(random.uniform(0, 0.3))
                assert process.poll() is None, process.communicate()
                process.kill()
            # Until whatever was under way has been counted.
            time.sleep(3 * ANSWER_S)
            now = counting.taken()
            assert {id: now[id] for id in done} == {id: asked[id] for id in done}
            done, asked = finished(output), now
            assert len(done) == len(set(done)) < ITEMS
        last = program.run(*command, "--json")
        assert last.code == 0, last.err
        now = counting.taken()
        assert {id: now[id] for id in done} == {id: asked[id] for id in done}
    assert sorted(finished(output)) == sorted(ids)
    assert all(json.loads(line)["text"] == "fine" for line in output.read_text().splitlines())
    # What was under way at a kill, eight at most, is all that was asked twice.
    assert sum(counting.taken().values()) <= ITEMS + 8 * KILLS
