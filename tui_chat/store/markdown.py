"""A conversation as Markdown: front matter, then the path in chat, each turn under a heading.

Texts stand as they were received. A block that is left open at the end of one, such as the code of a reply that was
cut, is closed, and a line that imitates a heading of ours is escaped, so that every turn stays the turn it is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from tui_chat import __version__
from tui_chat.domain.words import say
from tui_chat.store import told

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Conversation, Node
    from tui_chat.wire.forms import ConversationForm

MARK = "▸"
"""Begins the heading of a turn."""
PROBED = 1 << 20
"""Characters at the end of a longer text in which an open block is looked for."""

_ESCAPED = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
_IMITATED = re.compile(rf"^([ \t>]*)(#+[ \t]+{MARK})", re.MULTILINE)
_MAY_OPEN = re.compile(r"^ {0,3}(?:```|~~~|<)", re.MULTILINE)
_PROBE = "end of turn"
_CLOSERS = ("-->", "?>", "]]>", ">", "</pre>")
"""Ends of the HTML blocks that a blank line does not end (CommonMark, section 4.6)."""

_markdown = MarkdownIt("commonmark")


def document(form: ConversationForm) -> str:
    """The conversation as a whole document."""
    tree = form.conversation()
    parts = [_front_matter(form, tree), f"# {escaped(told.title(form))}"]
    parts += [_turn(tree, node) for node in tree.path()]
    return "\n\n".join(parts) + "\n"


def _front_matter(form: ConversationForm, tree: Conversation) -> str:
    """Every value is JSON, which is YAML too."""
    cost = told.cost(tree)
    values: dict[str, object] = {
        "generator": f"tui-chat {__version__}",
        "title": told.title(form),
        "id": form.id,
        "created": told.stamp(form.created),
        "updated": told.stamp(form.updated),
        "models": told.models(tree),
        "settings": told.settings(form),
        "usage": told.usage(tree),
        "cost_usd": None if cost.usd is None else str(cost.usd),
        "cost_source": cost.source,
    }
    lines = [f"{key}: {_yaml(value)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---"])


def _yaml(value: object) -> str:
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _turn(tree: Conversation, node: Node) -> str:
    parts = [f"## {MARK} {escaped(told.heading(tree, node))}"]
    if node.reasoning.strip():
        parts.append(_quoted(f"**{say('export.reasoning')}**\n\n{node.reasoning}"))
    if node.text:
        parts.append(body(node.words))
    lines = [told.figures_line(node.result)] if node.result is not None else []
    parts += [f"> {escaped(line)}" for line in (*told.marks(node), *lines) if line]
    return "\n\n".join(parts)


def body(text: str) -> str:
    """A foreign text between our headings: it ends what it opens, and imitates none of them."""
    return _closed(_IMITATED.sub(r"\1\\\2", text))


def escaped(line: str) -> str:
    return _ESCAPED.sub(r"\\\1", line)


def _quoted(text: str) -> str:
    """A block quote, in which everything ends that is opened in it."""
    text = _IMITATED.sub(r"\1\\\2", text)
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _closed(text: str) -> str:
    """The text with the end of a block that it leaves open."""
    tail = text[-PROBED:]
    if not _MAY_OPEN.search(tail) or _ends(tail):
        return text
    fences = [token.markup for token in _markdown.parse(tail)[-1:] if token.type == "fence"]
    closer = next((mark for mark in (*fences, *_CLOSERS) if _ends(f"{tail}\n{mark}")), "")
    return f"{text}\n{closer}"


def _ends(text: str) -> bool:
    """True when what follows after a blank line is a paragraph of its own."""
    tokens = _markdown.parse(f"{text}\n\n{_PROBE}\n", {"references": {}})
    return len(tokens) > 2 and tokens[-3].type == "paragraph_open" and tokens[-2].content == _PROBE
