"""Markdown read by markdown-it: blocks as a tree with the lines they stand on, inline text as flat tokens."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

References = dict[str, dict[str, str]]
"""Link definitions by their normalized label; `href` is where one goes."""

DENSE = 400
"""Characters with a meaning in one piece of text, beyond which it is shown plain: pairing them takes quadratic time."""

MATH = re.compile(
    r"\$\$.+?\$\$|\\\(.+?\\\)|\\\[.+?\\\]|\$(?![\s$])[^$\n]*?(?<![\s\\])\$(?!\d)",
    re.DOTALL,
)
"""Formulas, which are shown as they are written."""
_MEANING = re.compile(r"[\\`*_~\[\]!<&$]")
_UNDRAWN = re.compile(r"^(?:[ >]|[-+*](?= |$)|\d{1,9}[.)](?= |$))*")


class Node(Struct):
    """A block and those within it; `first` and `end` are lines, the end excluded."""

    type: str
    token: Token
    first: int
    end: int
    content: str = ""
    kids: list[Node] = field(default_factory=list["Node"])
    number: int = 0
    """Of an item in an ordered list."""


@cache
def _markdown() -> MarkdownIt:
    # The first screen stands without it.
    from markdown_it import MarkdownIt

    options = {"html": False, "linkify": False, "inline_definitions": True}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.inline.ruler.before("escape", "math", _math)
    return markdown


def _math(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    found = MATH.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("math", "", 0).content = found[0]
    state.pos = found.end()
    return True


def parse(lines: Sequence[str]) -> tuple[list[Node], References]:
    """The top-level blocks of these lines, and the link definitions among them."""
    env: dict[str, References] = {}
    tokens: list[Token] = []
    markdown = _markdown()
    markdown.block.parse("\n".join(lines), markdown, env, tokens)
    kids = _kids(iter(tokens))
    _restore(kids, lines)
    return kids, env.get("references", {})


def _kids(tokens: Iterator[Token]) -> list[Node]:
    """The nodes up to the token that closes their parent."""
    kids: list[Node] = []
    for token in tokens:
        if token.nesting < 0:
            break
        first, end = token.map or (0, 0)
        node = Node(token.type.removesuffix("_open"), token, first, end, token.content)
        if token.nesting > 0:
            node.kids = _kids(tokens)
            if node.kids and node.kids[0].type == "inline":
                node.content = node.kids.pop().content
            node.number = int(token.info) if node.type == "list_item" and token.info else 0
        kids.append(node)
    return kids


def _restore(kids: list[Node], lines: Sequence[str]) -> None:
    """What stands deeper than markdown-it goes becomes a paragraph."""
    for node in kids:
        if node.kids:
            _restore(node.kids, lines)
        elif node.type in ("blockquote", "list_item"):
            text = "\n".join(_UNDRAWN.sub("", line) for line in lines[node.first : node.end])
            if text.strip("-+*> \n"):
                node.kids = [Node("undrawn", node.token, node.first, node.end, text)]


def spans(text: str, references: References) -> list[Token] | None:
    """The inline tokens of a paragraph, heading or cell; None when there is nothing but text in it."""
    meanings = len(_MEANING.findall(text))
    if not meanings or meanings > DENSE:
        return None
    tokens: list[Token] = []
    markdown = _markdown()
    markdown.inline.parse(text, markdown, {"references": references}, tokens)
    return tokens
