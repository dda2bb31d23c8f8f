"""A batch against the same requests through bare httpx: `python tests/bench/bench_batch.py [ITEMS] [CONCURRENCY]`.

Prints the seconds of processor of each, both with their start; the memory of the batch after 1,000 items and at its
end; and the bytes a line of the index that a resume needs. The server runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kit.program import clean_environment
from tui_chat.demo.server import DemoServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PROMPT = "count 30"
EARLY = 1000
INDEX_LINES = 1_000_000
MB = 1e6


def serve(pipe: Connection) -> None:
    """The demo, without waits, until the pipe closes."""

    async def forever() -> None:
        async with DemoServer(speed=0) as server:
            pipe.send(server.base_url)
            await asyncio.to_thread(pipe.poll, None)

    asyncio.run(forever())


BARE = """
import asyncio, json, sys
import httpx
url, source, target, limit = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
async def main():
    lines = iter(open(source, encoding="utf-8"))
    limits = httpx.Limits(max_connections=limit, max_keepalive_connections=limit)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        with open(target, "w", encoding="utf-8") as out:
            async def worker():
                for line in lines:
                    item = json.loads(line)
                    body = {"model": "demo-fast", "stream": True, "stream_options": {"include_usage": True},
                            "messages": [{"role": "user", "content": item["prompt"]}]}
                    text, usage = [], None
                    async with client.stream("POST", url + "/chat/completions", json=body) as response:
                        async for got in response.aiter_lines():
                            if not got.startswith("data: ") or got == "data: [DONE]":
                                continue
                            value = json.loads(got[6:])
                            usage = value.get("usage") or usage
                            for choice in value["choices"]:
                                text.append(choice["delta"].get("content") or "")
                    out.write(json.dumps({"id": item["id"], "text": "".join(text), "usage": usage}) + "\\n")
                    out.flush()
            await asyncio.gather(*(worker() for _ in range(limit)))
asyncio.run(main())
"""


def resident(pid: int) -> float:
    """MB of memory that a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def measured(command: list[str], env: dict[str, str], output: Path, items: int) -> tuple[float, float, float, float]:
    """(seconds of processor, seconds, MB after EARLY lines of output, MB at the last look) of a program."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    early = late = 0.0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.05)
        try:
            late = resident(process.pid) or late
            lines = output.read_bytes().count(b"\n") if not early and output.exists() else 0
        except (OSError, IndexError):
            continue
        early = late if not early and lines >= min(EARLY, items // 10) else early
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, early, late


INDEX = """
import os
from tui_chat.store.batch_output import Standings
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
known = Standings()
before = resident()
for n in range({lines}):
    known.enter(f"item-{{n}}", f"{{n:016x}}", "completed")
print((resident() - before) / {lines})
"""


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    limit = sys.argv[2] if len(sys.argv) > 2 else "50"
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        home, source = Path(folder), Path(folder, "in.jsonl")
        source.write_text("".join(json.dumps({"id": f"i{n}", "prompt": PROMPT}) + "\n" for n in range(items)))
        env = clean_environment(home, OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-test-3fA9dQ7Lx2")
        batch = [sys.executable, "-m", "tui_chat", "-e", "openai", "-m", "demo-fast", "batch", str(source)]
        batch += ["-o", str(home / "out.jsonl"), "--concurrency", limit]
        bare = [sys.executable, "-c", BARE, url, str(source), str(home / "bare.jsonl"), limit]
        for name in ("bare", "out") if len(sys.argv) < 4 else sys.argv[3:]:
            command = bare if name == "bare" else batch
            cpu, seconds, early, late = measured(command, env, home / f"{name}.jsonl", items)
            lines = (home / f"{name}.jsonl").read_bytes().count(b"\n")
            print(
                f"{name:5} {cpu:6.2f} s CPU, {seconds:6.2f} s, {lines} lines, {early:.1f} MB then {late:.1f} MB",
                flush=True,
            )
        found = subprocess.run([sys.executable, "-c", INDEX.format(lines=INDEX_LINES)], env=env, capture_output=True)
        print(f"index {float(found.stdout):.1f} bytes a line of {INDEX_LINES:,}")
    ours.close()
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
