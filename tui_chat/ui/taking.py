"""What can be taken of a reply: its text without Markdown, and its blocks of code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.ui.rows.parsing import parse, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

    from tui_chat.ui.rows.parsing import Node, References


def code_blocks(text: str) -> list[str]:
    """The contents of the code blocks of a Markdown text, in order, as they were written."""
    kids, _ = parse(_lines(text))
    return [node.content.removesuffix("\n") for node in _walk(kids) if node.type in ("fence", "code_block")]


def plain_text(text: str) -> str:
    """A Markdown text without its marks; code stays as it is, cells are parted by tabs, links keep their targets."""
    kids, references = parse(_lines(text))
    return "\n\n".join(_blocks(kids, references))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _walk(kids: list[Node]) -> Iterator[Node]:
    for node in kids:
        yield node
        yield from _walk(node.kids)


def _blocks(kids: list[Node], references: References) -> list[str]:
    return [text for node in kids if (text := _block(node, references))]


def _block(node: Node, references: References) -> str:
    match node.type:
        case "fence" | "code_block":
            return node.content.removesuffix("\n")
        case "hr" | "definition":
            return ""
        case "bullet_list" | "ordered_list":
            return "\n".join(_item(item, references) for item in node.kids)
        case "blockquote":
            return "\n\n".join(_blocks(node.kids, references))
        case "table":
            rows = [row for part in node.kids for row in part.kids]
            return "\n".join("\t".join(_inline(cell.content, references) for cell in row.kids) for row in rows)
        case _:
            return _inline(node.content, references)


def _item(node: Node, references: References) -> str:
    mark = f"{node.number}. " if node.number else "- "
    text = "\n".join(_blocks(node.kids, references))
    return mark + text.replace("\n", "\n" + " " * len(mark))


def _inline(text: str, references: References) -> str:
    tokens = spans(text, references)
    if tokens is None:
        return "\n".join(line.strip(" ") for line in text.split("\n"))
    return "".join(_words(tokens))


def _words(tokens: list[Token]) -> Iterator[str]:
    targets: list[tuple[str, list[str]]] = []
    for token in tokens:
        words = ""
        match token.type:
            case "softbreak" | "hardbreak":
                words = "\n"
            case "link_open":
                targets.append((str(token.attrs.get("href", "")), []))
            case "link_close":
                target, shown = targets.pop()
                words = "" if "".join(shown) == target else f" ({target})"
            case "image":
                words = f"{token.content} ({token.attrs.get('src', '')})"
            case _:
                words = token.content
        for _, shown in targets:
            shown.append(words)
        yield words
