"""Conversations as one HTML file that loads nothing, runs nothing and holds foreign text as text only."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]  # its options are untyped
from pygments.util import ClassNotFound

from tui_chat import __version__
from tui_chat.domain import figures
from tui_chat.domain.ask import IMAGE
from tui_chat.domain.hostile import visible
from tui_chat.domain.images import Image, parts
from tui_chat.domain.words import say
from tui_chat.store import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

    from tui_chat.domain.conversation import Conversation, Node
    from tui_chat.wire.forms import ConversationForm

RENDERED = 1 << 17
"""Characters up to which a text is taken for Markdown; a longer one is shown as it is."""
HIGHLIGHTED = 1 << 14
"""Characters of code up to which it is coloured: some lexers take a time that grows with the square of it."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
FOOT = "</main>\n</body>\n</html>\n"

_ALLOWED = re.compile(r"(?:https?://|mailto:)[^\s]+", re.IGNORECASE)

CSS = """
:root { color-scheme: light dark; --text: #1c1e21; --dim: #636c76; --back: #ffffff; --raised: #f3f4f6; --edge: #d5d9de;
  --mark: #8a4b00; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6ea; --dim: #9aa3ad; --back: #17191c; --raised: #22262b;
  --edge: #3a4047; --mark: #e6a15c; --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.6 system-ui, sans-serif; }
main { max-width: 50rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; color: var(--dim); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
section { border-top: 1px solid var(--edge); padding: 1rem 0; overflow-wrap: anywhere; }
section > header { font-weight: 600; color: var(--dim); }
img { max-width: 100%; height: auto; }
.user > .text { background: var(--raised); border-radius: .5rem; padding: .1rem 1rem; margin-top: .5rem; }
.mark, .figures, details { color: var(--dim); font-size: .9rem; }
.mark { color: var(--mark); }
a { color: var(--link); }
pre { background: var(--raised); border: 1px solid var(--edge); border-radius: .4rem; padding: .8rem;
  overflow-x: auto; }
code { font-family: ui-monospace, monospace; font-size: .9em; }
.plain { white-space: pre-wrap; }
blockquote { margin-left: 0; padding-left: 1rem; border-left: .2rem solid var(--edge); color: var(--dim); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--edge); padding: .3rem .6rem; }
"""


def head(title: str) -> str:
    """The file up to its first conversation."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="tui-chat {__version__}">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{CSS}{_colours()}</style>\n</head>\n<body>\n<main>\n"
    )


def article(form: ConversationForm) -> str:
    """One conversation."""
    tree = form.conversation()
    turns = "".join(_turn(tree, node, form.images or {}) for node in tree.path())
    return f"<article>\n<h1>{html.escape(told.title(form))}</h1>\n{_facts(form, tree)}{turns}</article>\n"


def document(form: ConversationForm) -> str:
    """The conversation as a whole file."""
    return head(told.title(form)) + article(form) + FOOT


def _facts(form: ConversationForm, tree: Conversation) -> str:
    cost = told.cost(tree)
    facts = {
        say("export.model"): ", ".join(told.models(tree)),
        say("export.created"): told.stamp(form.created) or "",
        say("export.updated"): told.stamp(form.updated) or "",
        say("export.settings"): ", ".join(f"{name} = {value}" for name, value in told.settings(form).items()),
        say("export.usage"): ", ".join(f"{name} {count:,}" for name, count in told.usage(tree).items()),
        say("export.cost"): f"{figures.money(cost)} ({cost.source})" if cost.usd is not None else "",
    }
    rows = "".join(f"<dt>{_escape(name)}</dt><dd>{_escape(value)}</dd>\n" for name, value in facts.items() if value)
    return f"<dl>\n{rows}</dl>\n"


def _turn(tree: Conversation, node: Node, images: Mapping[str, str]) -> str:
    parts = [f'<section class="{node.role}">\n<header dir="auto">{_escape(told.heading(tree, node))}</header>\n']
    if node.reasoning.strip():
        summary = say("export.reasoning")
        parts.append(f"<details><summary>{summary}</summary>\n{_rendered(node.reasoning)}</details>\n")
    parts.append(f'<div class="text" dir="auto">\n{_body(node, images)}</div>\n')
    parts += [f'<p class="mark">{_escape(line)}</p>\n' for line in told.marks(node)]
    if node.result is not None and (line := told.figures_line(node.result)):
        parts.append(f'<p class="figures">{_escape(line)}</p>\n')
    return "".join([*parts, "</section>\n"])


def _body(node: Node, images: Mapping[str, str]) -> str:
    """What was said; the images of a question in their places."""
    if node.role != "user" or IMAGE not in node.text:
        return _rendered(node.text)
    out: list[str] = []
    for part in parts(node.text):
        if isinstance(part, Image) and (data := images.get(part.digest)):
            line = _escape(part.line)
            out.append(f'<p><img src="data:{part.mime};base64,{data}" alt="{line}" title="{line}"></p>\n')
        else:
            out.append(_rendered(part if isinstance(part, str) else part.words))
    return "".join(out)


def _escape(text: str) -> str:
    return html.escape(visible(text))


def _rendered(text: str) -> str:
    """Markdown as HTML, in which nothing is markup that the renderer did not make."""
    shown = visible(text)
    if len(shown) <= RENDERED:
        try:
            return _renderer().render(shown)
        except RecursionError:
            pass
    return f'<pre class="plain">{html.escape(shown)}</pre>\n'


@lru_cache(1)
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False, "highlight": _highlighted}).enable(["table", "strikethrough"])
    renderer.validateLink = lambda url: _ALLOWED.fullmatch(url) is not None
    renderer.add_render_rule("link_open", _link)
    renderer.add_render_rule("image", _image)
    return renderer


def _link(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer")
    return renderer.renderToken(tokens, index, options, env)


def _image(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """An image is shown as the link to it, and never loaded."""
    token = tokens[index]
    url = str(token.attrs.get("src", ""))
    name = renderer.renderInlineAsText(token.children or [], options, env) or url
    return f'<a href="{html.escape(url)}" rel="noopener noreferrer">{html.escape(name)}</a>'


def _highlighted(code: str, language: str, _: str) -> str:
    """Code with a class for each kind of word; empty where the language is not known."""
    try:
        lexer: Any = get_lexer_by_name(language, ensurenl=False, stripnl=False) if language else None
    except ClassNotFound:
        lexer = None
    if lexer is None or len(code) > HIGHLIGHTED:
        return ""
    return highlight(code, lexer, HtmlFormatter[str](nowrap=True))


@lru_cache(1)
def _colours() -> str:
    return f"{_style('default')}\n@media (prefers-color-scheme: dark) {{\n{_style('github-dark')}\n}}\n"


def _style(name: str) -> str:
    formatter: Any = HtmlFormatter[str](style=name)
    rules: str = formatter.get_style_defs("pre code")
    return "\n".join(rule for rule in rules.split("\n") if rule.startswith("pre code ."))
