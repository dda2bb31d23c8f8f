"""A large export of another program taken in: time, and memory against the size of the file.

python -m tests.bench.bench_import [MEGABYTES]
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from tui_chat.store import export, imports
from tui_chat.store.database import Database
from tui_chat.store.library import Library

TURNS = 20
WORDS = "The quick brown fox jumps over the lazy dog, and đó là một câu tiếng Việt. "


def conversation(number: int) -> str:
    mapping: dict[str, object] = {}
    for turn in range(TURNS):
        message = {
            "author": {"role": "assistant" if turn % 2 else "user"},
            "content": {"content_type": "text", "parts": [WORDS * (3 + 20 * (turn % 2))]},
            "create_time": 1.6e9 + number * 100 + turn,
            "metadata": {"model_slug": "gpt-4o"},
        }
        parent = f"{number}-{turn - 1}" if turn else None
        mapping[f"{number}-{turn}"] = {"message": message, "parent": parent, "children": [f"{number}-{turn + 1}"]}
    return json.dumps({"title": f"Talk {number}", "conversation_id": str(number), "mapping": mapping})


def generate(path: Path, size: int) -> int:
    """Write a file of about `size` bytes; how many conversations it has."""
    count = written = 0
    with path.open("w") as file:
        while written < size:
            written += file.write(("," if count else "[") + conversation(count))
            count += 1
        file.write("]")
    return count


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "store.db")
        library, path = Library(database), Path(folder) / "conversations.json"
        count = generate(path, megabytes * 1_000_000)
        before = peak_mb()
        print(f"{count} conversations, {path.stat().st_size / 1e6:.0f} MB; peak before {before:.0f} MB")
        for what in ("first", "second"):
            began = time.perf_counter()
            report = imports.read(library, path)
            print(f"{what} import: {time.perf_counter() - began:.1f} s, peak {peak_mb():.0f} MB, {report.turns} turns")
        for lines in (True, False):
            began = time.perf_counter()
            export.write(library, library.every(), Path(folder) / "out.json", "json", lines=lines)
            print(f"export, lines={lines}: {time.perf_counter() - began:.1f} s, peak {peak_mb():.0f} MB")
        database.close()


if __name__ == "__main__":
    main()
