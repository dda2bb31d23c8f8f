"""CPU cost of the SSE decoder beside httpx-sse 0.4: `python tests/bench/bench_sse.py`."""

import codecs
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from httpx_sse._decoders import SSEDecoder, SSELineDecoder

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tui_chat.wire.sse import SseDecoder

ROUNDS = 9
EVENTS = 40_000
EVENT = b"data: " + b'{"choices":[{"index":0,"delta":{"content":"word"}}]}'.ljust(251, b" ") + b"\n\n"
BIG_EVENT = b"data: " + b"x" * (4 * 1024 * 1024) + b"\n\n"


def decode_ours(feeds: list[bytes]) -> int:
    """Number of events out of `feeds`."""
    decoder = SseDecoder()
    count = 0
    for data in feeds:
        for _ in decoder.feed(data):
            count += 1
    return count + len(decoder.finish())


def decode_httpx_sse(feeds: list[bytes]) -> int:
    """Number of events out of `feeds`, by the steps of `EventSource.iter_sse` after `Response.iter_text`."""
    to_text = codecs.getincrementaldecoder("utf-8")(errors="replace")
    lines = SSELineDecoder()
    decoder = SSEDecoder()
    count = 0
    for data in feeds:
        for line in lines.decode(to_text.decode(data)):
            if decoder.decode(line.rstrip("\n")) is not None:
                count += 1
    for line in lines.flush():
        if decoder.decode(line.rstrip("\n")) is not None:
            count += 1
    return count


def cpu_seconds(decode: Callable[[list[bytes]], int], feeds: list[bytes], events: int) -> float:
    """CPU time of one run, which must give `events` events."""
    start = time.process_time()
    count = decode(feeds)
    spent = time.process_time() - start
    if count != events:
        raise SystemExit(f"{decode.__name__}: {count} events, expected {events}")
    return spent


def cut(data: bytes, size: int) -> list[bytes]:
    """`data` in feeds of `size` bytes."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def compare(title: str, feeds: list[bytes], events: int) -> None:
    """Print both rates and their ratio, each the median of interleaved rounds."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours.append(cpu_seconds(decode_ours, feeds, events))
        theirs.append(cpu_seconds(decode_httpx_sse, feeds, events))
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(
        f"{title}: tui-chat {events / statistics.median(ours):,.0f} events per CPU second, "
        f"httpx-sse {events / statistics.median(theirs):,.0f}, ratio {ratio:.2f}"
    )


def main() -> None:
    compare(f"{len(EVENT)}-byte events, one a feed", [EVENT] * EVENTS, EVENTS)
    compare(f"{len(EVENT)}-byte events, 16 KiB feeds", cut(EVENT * EVENTS, 16 * 1024), EVENTS)
    feeds = cut(BIG_EVENT, 1024)
    spent = statistics.median(cpu_seconds(decode_ours, feeds, 1) for _ in range(ROUNDS))
    print(f"one 4 MiB event, 1 KiB feeds: tui-chat {spent * 1000:.1f} ms of CPU")


if __name__ == "__main__":
    main()
