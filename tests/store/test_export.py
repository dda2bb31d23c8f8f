"""Conversations as files to read: complete, private, whole or not at all; foreign text stays text."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.kit.trees import conversations
from tui_chat.domain.failure import Kind, StoreError, UsageError
from tui_chat.domain.pricing import CostSource
from tui_chat.store import export
from tui_chat.store.database import Database
from tui_chat.store.library import Library
from tui_chat.wire import archive
from tui_chat.wire.forms import (
    ConversationForm,
    CostForm,
    ErrorForm,
    FiguresForm,
    NodeForm,
    ResultForm,
    SettingsForm,
    State,
    UsageForm,
)

T0 = 1_700_000_000.0


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    database = Database(tmp_path / "data" / "store.db")
    yield Library(database)
    database.close()


def reply(text: str, state: State = "completed", id: str = "a", parent: str = "q", **more: Any) -> NodeForm:
    return NodeForm(
        id=id,
        parent=parent,
        role="assistant",
        text=text,
        state=state,
        created=T0 + 5,
        model=more.pop("model", "gpt-4o"),
        reasoning=more.pop("reasoning", None),
        in_chat=True,
        result=ResultForm(state=state, **more),
    )


def talk(*replies: NodeForm, question: str = "Why?", **more: Any) -> ConversationForm:
    asked = NodeForm(id="q", role="user", text=question, created=T0, in_chat=True)
    answers = replies or (reply("Because."),)
    path = ["q", answers[-1].id]
    values: dict[str, Any] = {"id": "x", "title": "A talk", "created": T0, "updated": T0 + 9}
    return ConversationForm(nodes=[asked, *answers], in_chat=path, **values | more)


def figures() -> FiguresForm:
    return FiguresForm(
        usage=UsageForm(input=1200, cached=200, output=300, reasoning=100, exact=True),
        cost=CostForm(usd=Decimal("0.0123"), source=CostSource.COMPUTED),
    )


def markdown(form: ConversationForm) -> str:
    return export.as_text(form, "md")


def front(text: str) -> dict[str, Any]:
    block = text.split("---\n")[1]
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in block.splitlines())}


def headings(text: str) -> list[str]:
    """The headings of the second level as a reader of Markdown sees them."""
    tokens = MarkdownIt("commonmark").parse(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))
    pairs = pairwise(tokens)
    return [inline.content for start, inline in pairs if start.type == "heading_open" and start.tag == "h2"]


# files


def test_the_format_is_told_by_the_name() -> None:
    names = {"a.md": "md", "a.markdown": "md", "A.HTML": "html", "a.htm": "html", "a.json": "json", "a": "json"}
    assert {name: export.format_of(Path(name)) for name in names} == names


@pytest.mark.parametrize("format", export.FORMATS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_file_is_private_and_replaces_an_older_export(
    library: Library, tmp_path: Path, format: str, count: int
) -> None:
    for number in range(count):
        library.add(ConversationForm(id=f"c{number}", title=f"T{number}", draft="d", created=T0 + number))
    path = tmp_path / "out"
    assert export.write(library, library.every(), path, format) == count
    first = path.read_bytes()
    path.chmod(0o644)
    assert export.write(library, library.every(), path, format) == count
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".")] == []
    assert len(path.read_bytes()) == len(first) or format == "json"


def test_lines_have_a_header_and_a_conversation_each(library: Library, tmp_path: Path) -> None:
    for name in ("x", "y"):
        library.add(ConversationForm(id=name, draft="d", created=T0))
    export.write(library, library.every(), tmp_path / "a.json", "json", lines=True)
    head, *rest = (tmp_path / "a.json").read_bytes().splitlines()
    assert json.loads(head)["format"] == "tui-chat"
    assert [json.loads(line)["id"] for line in rest] == ["x", "y"]


@pytest.mark.parametrize(
    "content",
    [
        b"my notes\n",
        b'{"format":"tui-chat-recording","version":1}\n',
        b"---\ntitle: x\n---\n",
        b"<!doctype html>\n<p>",
        b"\0",
    ],
)
@pytest.mark.parametrize("format", export.FORMATS)
def test_another_file_is_left_alone(library: Library, tmp_path: Path, content: bytes, format: str) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="notes exists and is no export of tui-chat; name another file"):
        export.write(library, [], path, format)
    assert path.read_bytes() == content


def test_an_empty_file_is_written_and_a_link_followed(library: Library, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch()
    link.symlink_to(target)
    export.write(library, [], link, "json")
    assert link.is_symlink()
    assert json.loads(target.read_bytes())["conversations"] == []


def test_paths_that_cannot_be_written(library: Library, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder; name a file in it"):
        export.write(library, [], tmp_path, "json")
    with pytest.raises(StoreError, match=r"there is no folder .*/no\."):
        export.write(library, [], tmp_path / "no" / "a.json", "json")
    with pytest.raises(StoreError, match="cannot be written"):
        export.write(library, [], tmp_path / "a\0b", "json")
    with pytest.raises(UsageError, match="no export format pdf; there are: json, md, html"):
        export.write(library, [], tmp_path / "a", "pdf")
    with pytest.raises(UsageError, match="a way to write JSON"):
        export.write(library, [], tmp_path / "a", "md", lines=True)
    assert [found.name for found in tmp_path.iterdir()] in ([], ["data"])


@pytest.mark.parametrize("format", export.FORMATS)
def test_an_export_that_breaks_off_leaves_the_old_file(library: Library, tmp_path: Path, format: str) -> None:
    library.add(talk())
    path = tmp_path / "out"
    export.write(library, ["x"], path, format)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="no conversation gone"):
        export.write(library, ["x", "gone"], path, format)
    assert path.read_bytes() == before
    assert len(list(tmp_path.glob(".*"))) == 0


def test_a_full_disk_is_one_line(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    library.add(talk())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="out cannot be written: No space left on device"):
        export.write(library, ["x"], tmp_path / "out", "json")
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_written_into(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    export.write(library, [], path, "json")
    assert json.loads(os.read(reader, 9999))["conversations"] == []
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("terminal", [True, False])
def test_stdout_gets_the_text_and_a_terminal_no_control(
    library: Library, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    library.add(talk(reply("\x1b[2J\x9b1m\u202eevil\r\n")))
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(out, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", out)
    assert export.write(library, ["x"], None, "md") == 1
    written = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert ("\x1b[2J" in written) is not terminal
    assert ("\u202e" in written) is not terminal


@pytest.mark.parametrize("format", export.FORMATS)
def test_the_text_of_one_is_what_the_file_holds(library: Library, tmp_path: Path, format: str) -> None:
    library.add(talk())
    export.write(library, ["x"], tmp_path / "out", format)
    text = export.as_text(library.form("x"), format)
    assert re.sub('"at":"[^"]*"', "", text) == re.sub('"at":"[^"]*"', "", (tmp_path / "out").read_text())


def test_a_reply_under_way_is_exported_with_what_has_come(library: Library) -> None:
    library.add(talk(reply("")))

    def begin(c: Any) -> None:
        row = c.execute("SELECT id FROM nodes WHERE uid = 'a'").fetchone()[0]
        c.execute("UPDATE nodes SET state = NULL, text = 'one ' WHERE id = ?", (row,))
        c.execute("INSERT INTO runs VALUES ('r', ?, 'me', 1.0, 'e', 'd', 'm', '{}', '', 0)", (row,))
        c.executemany("INSERT INTO pieces VALUES ('r', ?, ?, ?, ?)", [(1, 0, "two ", ""), (2, 1, "three", "hm")])

    library._database.write(begin).result()  # pyright: ignore[reportPrivateUsage]
    node = library.form("x").nodes[1]
    assert (node.text, node.reasoning, node.state) == ("one two three", "hm", "interrupted")
    assert node.result is not None
    assert node.result.seams == (8,)


# Markdown


def test_markdown_tells_everything() -> None:
    form = talk(
        reply("First.", id="old"),
        reply("Because.", reasoning="Let me\nthink.", figures=figures()),
        settings=SettingsForm(system="Be\n'kind'", temperature=0.5, extra_body={"x": [1]}),
    )
    text = markdown(form)
    assert front(text) == {
        "generator": "tui-chat 0.1.0",
        "title": "A talk",
        "id": "x",
        "created": "2023-11-14T22:13:20Z",
        "updated": "2023-11-14T22:13:29Z",
        "models": ["gpt-4o"],
        "settings": {"system": "Be\n'kind'", "temperature": 0.5, "extra_body": {"x": [1]}},
        "usage": {"input": 1200, "cached": 200, "reasoning": 100, "output": 300},
        "cost_usd": "0.0123",
        "cost_source": "computed",
    }
    assert "\n# A talk\n\n## ▸ You · 2023-11-14 22:13 UTC\n\nWhy?\n\n" in text
    assert (
        "## ▸ gpt-4o · 2023-11-14 22:13 UTC · version 2/2\n\n> **Reasoning**\n>\n> Let me\n> think.\n\nBecause.\n"
        in text
    )
    assert text.endswith("> 300 tokens · $0.0123\n")
    assert "First." not in text


@pytest.mark.parametrize(
    ("more", "mark"),
    [
        ({"state": "interrupted"}, "> ■ Interrupted"),
        ({"state": "cancelled"}, "> ■ Cancelled"),
        ({"finish_reason": "length"}, "> … cut at the token limit"),
        ({"finish_reason": "odd*"}, "> … ended with finish\\_reason odd\\*"),
        ({"seams": (3, 99)}, "> ⌇ taken up again after “Bec”\n\n> ⌇ taken up again after “”"),
        ({"skipped": 2}, "> Malformed chunks left out: 2"),
        (
            {"state": "failed", "error": ErrorForm(kind=Kind.SERVER, message="It\n[broke](x)", hint="Retry.")},
            "> ✗ It \\[broke\\](x). Retry.",
        ),
        ({"state": "failed"}, "> ✗"),
    ],
)
def test_markdown_marks_how_a_reply_ended(more: dict[str, Any], mark: str) -> None:
    assert mark in markdown(talk(reply("Because.", **more)))


@pytest.mark.parametrize(
    "text",
    [
        "```py\ncut",
        "~~~~\ncut ```",
        "````\n```\ncut",
        "<!-- cut",
        "<script>\ncut\n\nmore",
        "<pre>cut\n\nmore",
        "<?php\n\ncut",
        "<![CDATA[\n\ncut",
        "<!DOCTYPE\n\ncut",
        "<div>\ncut",
        "- a\n\n  ```\n  cut",
        "> ```\n> cut",
        "    code",
        "a\n===",
        "## ▸ You · forged",
        "   ###  ▸ You",
        "> ## ▸ You",
        "[x]: y 'cut",
        "a\\",
        "| a |\n| - |\n| b",
    ],
)
def test_every_turn_stays_the_turn_it_is(text: str) -> None:
    form = talk(reply(text), question=text)
    assert headings(markdown(form)) == [
        "▸ You · 2023-11-14 22:13 UTC",
        "▸ gpt-4o · 2023-11-14 22:13 UTC",
    ]


def test_texts_stand_as_they_were_received() -> None:
    text = "# Title\n\n## Part\r\n*a* <b> & \x1b[1m \u202e ---\n---\n\n```\n## ▹\n```"
    assert f"\n\n{text}\n\n" in markdown(talk(reply("."), question=text))


@pytest.mark.parametrize(
    "title", ['"', "a: b", "---", "#x\n- y", "\x00\x7f\x85\u2028\u202e\ufeff", "{}", "é 😀 \\u0041", "'"]
)
def test_the_front_matter_is_yaml_for_any_title(title: str) -> None:
    text = markdown(talk(title=title, settings=SettingsForm(system=title)))
    block = text.split("---\n")[1]
    assert front(text)["settings"] == {"system": title}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ufeff\ud800-\udfff]", block)
    assert len(headings(text)) == 2


@settings(max_examples=40, deadline=None)
@given(conversations(), st.sampled_from(["md", "html"]))
def test_any_conversation_can_be_written(form: ConversationForm, format: str) -> None:
    assert export.as_text(form, format).encode()


# HTML


class Seen(HTMLParser):
    """The elements, attributes and text that a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def links(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "a"]


def page(form: ConversationForm) -> Seen:
    return Seen(export.as_text(form, "html"))


KNOWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "article", "section", "header", "div"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "dl", "dt", "dd", "p", "em", "strong", "s", "a", "code", "pre", "span"),
    *("ul", "ol", "li", "blockquote", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title></main></body>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#1;javascript:alert(1))",
    "[x](data:text/html,<script>)",
    "[x](vbscript:x) <javascript:alert(1)> [x](//evil) [x](/etc/passwd) [x](file:///etc/passwd)",
    "![x](javascript:alert(1)) ![x](data:image/svg+xml,<svg onload=alert(1)>)",
    '[x](https://a "onmouseover=alert(1)") [x](<https://a" onclick="alert(1)>)',
    '![" onerror="alert(1)](https://a/b.png)',
    "```</code></pre><script>\nx\n```",
    '```html" onclick="alert(1)\n<script>alert(1)</script>\n```',
    "```html\n<script>alert(1)</script>\n```",
    "<!-- --> <svg/onload=alert(1)> <style>*{}</style> <iframe src=x>",
    "a\x00b\x1b[2J\u202ec\u2066d\x9be\x7f\ud800f",
    "[x]: javascript:alert(1)\n\n[x]",
    "|<script>|\n|-|\n|<b onclick=x>|",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    error = ErrorForm(kind=Kind.SERVER, message=text, hint=text)
    answer = reply(text, "failed", reasoning=text, model=text, error=error, finish_reason=text)
    seen = page(talk(answer, question=text, title=text, settings=SettingsForm(system=text, extra_body={text: text})))
    assert {tag for tag, _ in seen.tags} <= KNOWN_TAGS
    for tag, attributes in seen.tags:
        allowed = {"href", "rel", "title"} if tag == "a" else {"class", "dir", "lang", "start", "style"}
        assert tag == "meta" or set(attributes) <= allowed
        assert tag in ("th", "td") or "style" not in attributes
    for link in seen.links:
        assert re.match("https?://|mailto:", link["href"] or "")
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", export.as_text(talk(answer), "html")
    )


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    seen = page(talk(reply("![a picture](https://h/p.png) [link](http://h) <mailto:a@b.c> ![](https://h/q.png)")))
    policies = [a["content"] for tag, a in seen.tags if tag == "meta" and "http-equiv" in a]
    assert policies[0]
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert not {"img", "script", "link", "iframe", "base", "form"} & {tag for tag, _ in seen.tags}
    assert [link["href"] for link in seen.links] == ["https://h/p.png", "http://h", "mailto:a@b.c", "https://h/q.png"]
    assert {link["rel"] for link in seen.links} == {"noopener noreferrer"}
    assert {"a picture", "https://h/q.png"} <= set(seen.texts)
    assert "url(" not in export.as_text(talk(), "html")


def test_code_is_coloured_in_light_and_dark() -> None:
    text = export.as_text(talk(reply("```python\ndef f(): pass\n```\n\n```nolanguage\n<x>\n```\n")), "html")
    assert '<span class="k">def</span>' in text
    assert "&lt;x&gt;" in text
    assert len(re.findall(r"^pre code \.k \{", text, re.MULTILINE)) == 2
    assert "@media (prefers-color-scheme: dark)" in text


def test_a_page_tells_everything() -> None:
    answer = reply("**Because.**", reasoning="Let me think.", figures=figures(), seams=(4,), finish_reason="length")
    form = talk(answer, settings=SettingsForm(temperature=0.5))
    texts = "\n".join(page(form).texts)
    told = (
        "A talk",
        "gpt-4o",
        "temperature = 0.5",
        "input 1,200",
        "$0.0123 (computed)",
        "2023-11-14T22:13:20Z",
        "You · 2023-11-14 22:13 UTC",
        "Reasoning",
        "Let me think.",
        "Because.",
        "taken up again after “**Be”",
        "token limit",
    )
    for part in told:
        assert part in texts


def test_a_very_long_text_is_shown_as_it_is() -> None:
    text = export.as_text(talk(reply("[" * 200_000 + "<b>")), "html")
    assert '<pre class="plain">[[[' in text
    assert "[&lt;b&gt;</pre>" in text


def test_several_conversations_stand_on_one_page(library: Library, tmp_path: Path) -> None:
    for number in range(3):
        library.add(talk(title=f"T{number}", id=f"c{number}", created=T0 + number))
    export.write(library, library.every(), tmp_path / "a.html", "html")
    seen = Seen((tmp_path / "a.html").read_text())
    assert [tag for tag, _ in seen.tags].count("article") == 3
    assert [tag for tag, _ in seen.tags].count("html") == 1
    assert {"T0", "T1", "T2"} <= set(seen.texts)


def test_exported_json_is_complete(library: Library) -> None:
    library.add(talk(reply("Because.", figures=figures())))
    text = export.as_text(library.form("x"), "json")
    (line,) = text.splitlines()[1:-1]
    assert archive.decode(line.encode(), 0.0) == library.form("x")
