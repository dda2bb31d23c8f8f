"""Lines of input as items."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tui_chat.domain.ask import Message, Settings
from tui_chat.domain.batch import Fault, Item
from tui_chat.domain.failure import UsageError
from tui_chat.domain.template import Template
from tui_chat.store import batch_input
from tui_chat.store.batch_input import Source, parser


def read(text: str | bytes, format: str = "jsonl", template: str | None = None) -> list[Item | Fault]:
    data = text.encode() if isinstance(text, str) else text
    reads = parser(format, "in", Template(template) if template else None)
    found = [item for n, line in enumerate(data.splitlines(keepends=True), 1) for item in reads.feed(n, line)]
    return [*found, *reads.finish()]


def one(text: str | bytes, *more: Any) -> Item:
    (item,) = read(text, *more)
    assert isinstance(item, Item), item
    return item


def wrong(text: str | bytes, *more: Any) -> str:
    (fault,) = read(text, *more)
    assert isinstance(fault, Fault)
    return fault.line


def test_a_line_with_everything() -> None:
    item = one(
        '{"id": "a", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "q"},'
        ' {"role": "assistant", "content": "r"}, {"role": "user", "content": "s"}], "endpoint": "e", "model": "m",'
        ' "temperature": 1, "top_p": 0.5, "max_tokens": 9, "seed": -1, "stop": ["x", "y"],'
        ' "reasoning_effort": "low", "extra_body": {"k": [1]}, "metadata": {"row": 7}}'
    )
    assert item.messages == (Message("user", "q"), Message("assistant", "r"), Message("user", "s"))
    assert (item.id, item.where, item.endpoint, item.model, item.named) == ("a", "in:1", "e", "m", True)
    assert item.settings == Settings("S", 1.0, 0.5, 9, -1, ("x", "y"), "low", {"k": [1]})


@pytest.mark.parametrize(
    ("text", "id", "given"),
    [
        ('{"id": 7, "prompt": "x"}', "7", 7),
        ('{"id": "7", "prompt": "x"}', "7", "7"),
        ('{"id": 0, "prompt": "x"}', "0", 0),
    ],
)
def test_ids_stay_as_they_were_written(text: str, id: str, given: str | int) -> None:
    item = one(text)
    assert (item.id, item.given) == (id, given)


def test_an_id_is_made_of_the_content() -> None:
    items = read('{"prompt": "a"}\n\n  {"prompt": "a"}\r\n{"prompt": "b"}')
    ids = [item.id for item in items if isinstance(item, Item)]
    assert ids[0] == ids[1] != ids[2]
    assert all(not item.named for item in items if isinstance(item, Item))
    assert [item.where for item in items if isinstance(item, Item)] == ["in:1", "in:3", "in:4"]


def test_null_is_nothing_said() -> None:
    assert one('{"id": null, "prompt": "x", "temperature": null, "messages": null}').settings == Settings()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "no JSON object"),
        ("7", "not"),
        ("[]", "no JSON object"),
        ('{"prompt": 7}', "prompt"),
        ('{"prompt": "x", "messages": []}', "either"),
        ('{"messages": []}', "last of messages"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "last of messages"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "messages"),
        ('{"prompt": "x", "id": ""}', "id"),
        ('{"prompt": "x", "id": 1.5}', "id"),
        ('{"prompt": "x", "top_p": 2}', "top_p"),
        ('{"prompt": "x", "max_tokens": 0}', "max_tokens"),
        ('{"prompt": "x", "temperature": "0.5"}', "temperature"),
        ('{"prompt": "x", "max_token": 5}', "max_tokens"),
        ('{"prompt": "x", "prompt": "\\ud800"', ""),
        (b'{"prompt": "\xff"}', ""),
        ("[" * 100_000, ""),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str | bytes, part: str) -> None:
    if part == "not":
        part = "but a value"
    line = wrong(text)
    assert line.startswith("in:1: ")
    assert part in line
    assert "\n" not in line


def test_csv() -> None:
    items = read('\ufeffid,prompt,temperature,max_tokens,note\na,"one, ""two""\nthree",0.5,10,x\n\nb,plain,,,\n', "csv")
    assert [(i.id, i.where, i.messages[0].text) for i in items if isinstance(i, Item)] == [
        ("a", "in:2", 'one, "two"\nthree'),
        ("b", "in:5", "plain"),
    ]
    first, second = (i.settings for i in items if isinstance(i, Item))
    assert (first.temperature, first.max_tokens, second) == (0.5, 10, Settings())


def test_csv_that_is_wrong() -> None:
    faults = [f.line for f in read('prompt,top_p\na\nb,3\n,1\n"open,1\n', "csv") if isinstance(f, Fault)]
    assert [line.partition(" ")[0] for line in faults] == ["in:2:", "in:3:", "in:4:", "in:5:"]
    assert "1 cells for 2 columns" in faults[0]
    assert "top_p" in faults[1]
    assert "quote" in faults[3]
    long = "x" * 200_000
    assert one(f"prompt\n{long}\n", "csv").messages[0].text == long
    assert "no column is called prompt" in wrong("a,b\n1,2\n", "csv")
    assert "UTF-8" in wrong(b"prompt\n\xff\n", "csv")


def test_text() -> None:
    items = read("one\r\n\n  \ntwo {x}\n", "text")
    assert [i.messages[0].text for i in items if isinstance(i, Item)] == ["one", "two {x}"]
    assert one("word", "text", "Say {prompt}").messages[0].text == "Say word"
    assert "UTF-8" in wrong(b"\xff\n", "text")


def test_templates_take_any_field() -> None:
    item = one('{"a b": "x", "n": 1.5, "l": [1, "2"], "seed": 3, "prompt": "p"}', "jsonl", "{a b} {n} {l} {prompt}")
    assert item.messages[0].text == 'x 1.5 [1,"2"] p'
    assert item.settings.seed == 3
    assert "“gone”" in wrong('{"a": 1}', "jsonl", "{gone}")
    assert one("w,n\nx,2\n", "csv", "{w}{n}").messages[0].text == "x2"


async def lines(source: Source) -> list[tuple[int, bytes]]:
    return [found async for found in source.lines()]


async def test_a_file_is_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_text("a\n\nb")
    source = Source(path)
    assert source.count("text") == 2
    assert await lines(source) == await lines(source) == [(1, b"a\n"), (2, b"\n"), (3, b"b")]
    path.write_text('h\n"a\nb"\nc\n')
    assert source.count("csv") == 2
    source.close()


async def test_a_pipe_is_read_once_unless_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        path.write_bytes(b"a\nb")

    for keep in (False, True):
        writing = asyncio.ensure_future(asyncio.to_thread(write))
        source = await asyncio.to_thread(Source, path)
        assert source.count("text") is None
        if keep:
            await source.keep()
            assert source.count("text") == 2
            assert await lines(source) == [(1, b"a\n"), (2, b"b")]
        assert await lines(source) == [(1, b"a\n"), (2, b"b")]
        await writing
        source.close()


@pytest.mark.parametrize("piped", [False, True])
async def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piped: bool) -> None:
    monkeypatch.setattr(batch_input, "MOST_BYTES", 1000)
    path = tmp_path / "in"
    content = b"a\n" + b"x" * 3000
    writing = None
    if piped:
        os.mkfifo(path)
        writing = asyncio.ensure_future(asyncio.to_thread(path.write_bytes, content))
    else:
        path.write_bytes(content)
    source = await asyncio.to_thread(Source, path)
    with pytest.raises(UsageError, match=":2: longer"):
        await lines(source)
    if writing is not None:
        await writing
    source.close()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        Source(tmp_path / "gone")
    with pytest.raises(UsageError, match="directory"):
        Source(tmp_path)


def test_a_quote_that_is_never_closed_takes_no_more_than_a_line_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_input, "MOST_BYTES", 1000)
    found = read('prompt\n"open\n' + "line\n" * 500 + "last\n", "csv")
    assert isinstance(found[0], Fault)
    assert "in:2: a quote is not closed" in found[0].line
    assert isinstance(found[-1], Item)
    assert found[-1].messages[0].text == "last"
