"""Makes the parts of the documentation that the program itself knows best.

python docs/make.py keys        the table of docs/keys.md
python docs/make.py man         docs/tui-chat.1
python docs/make.py pictures    docs/pictures/*.svg or those NAMED, drawn by the program on its built-in endpoint
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.kit.screen import Chat, opened
from tui_chat import __version__
from tui_chat.cli.exits import ExitCode
from tui_chat.cli.main import tui_chat
from tui_chat.domain.actions import ACTIONS as CHAT
from tui_chat.domain.actions import COMPARING, ELSEWHERE, IN_LANE, Action
from tui_chat.domain.keymap import PRESETS, preset, show_key

DOCS = Path(__file__).resolve().parent
KEYS, MAN, PICTURES = DOCS / "keys.md", DOCS / "tui-chat.1", DOCS / "pictures"
ACTIONS = "## The actions\n"
HEAD = "| name | keys | no-f-keys | multiplexer | command | |\n|---|---|---|---|---|---|\n"
TABLES = {
    "": CHAT,
    "\n### In a comparison\n": COMPARING,
    "\n### In a lane that has the focus\n": IN_LANE,
    "\n### On other screens\n": ELSEWHERE,
}
COMMON = {"endpoint", "model", "profile", "demo", "record", "no_save"}
EXITS = {
    ExitCode.DONE: "Done; also when the answer was cut at the token limit.",
    ExitCode.FAILED: "The request failed or was blocked.",
    ExitCode.USAGE: "A mistake in the command or the configuration; nothing is on stdout.",
    ExitCode.NO_KEY: "There is no endpoint, or its key is missing or refused.",
    ExitCode.BUDGET: "Stopped at a limit of what may be spent.",
    ExitCode.INTERRUPTED: "Interrupted; what had come is on stdout.",
    ExitCode.HUNG_UP: "The terminal is gone.",
    ExitCode.TERMINATED: "Told to end by SIGTERM.",
}
PLACES = {
    "~/.config/tui-chat/config.toml": "The configuration; TUI_CHAT_CONFIG names another file.",
    "~/.config/tui-chat/themes/": "Themes of your own.",
    "~/.local/share/tui-chat/": "Conversations, imported prices and what the screen keeps; TUI_CHAT_DATA_DIR names "
    "another folder.",
}
VARIABLES = {
    "OPENAI_API_KEY, OPENAI_BASE_URL": "The endpoint openai.",
    "DEEPSEEK_API_KEY, HOLYSHEEP_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, OPENROUTER_API_KEY, GROQ_API_KEY, "
    "MISTRAL_API_KEY": "The endpoints of these names.",
    "TUI_CHAT_CONFIG, TUI_CHAT_DATA_DIR": "See FILES.",
    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "The proxy, where an endpoint names none of its own.",
    "NO_COLOR": "Greys instead of colours.",
    "VISUAL, EDITOR": "What opens config.toml, and the message that is being written.",
}


# The table of keys


def keys_page() -> str:
    """docs/keys.md with its table as the program has it now."""
    kept = KEYS.read_text("utf-8").partition(ACTIONS)[0]
    return (
        kept + ACTIONS + "".join(f"{heading}\n{HEAD}{''.join(map(_row, table))}" for heading, table in TABLES.items())
    )


def _row(action: Action) -> str:
    name = action.name
    shown = ", ".join(map(show_key, action.default))
    if action.numbered:
        shown = f"{show_key(action.default[0])} … {show_key(action.default[-1])}"
    others = [", ".join(map(show_key, preset(p).of(name))) if name in PRESETS[p] else "" for p in PRESETS if PRESETS[p]]
    slash = f"`/{action.slash}`" if action.slash else ""
    return "| " + " | ".join([f"`{name}`", shown, *others, slash, action.help]) + " |\n"


# The man page


def man_page() -> str:
    """docs/tui-chat.1, in the macros of man(7)."""
    return "\n".join(_man()) + "\n"


def _man() -> Iterator[str]:
    root = click.Context(tui_chat, info_name="tui-chat", **tui_chat.context_settings)
    yield f'.TH TUI-CHAT 1 "" "tui-chat {__version__}" "User Commands"'
    yield ".SH NAME\ntui-chat \\- talk to language models in the terminal"
    yield ".SH SYNOPSIS\n.B tui-chat\n[OPTIONS] [COMMAND [ARGS]]"
    yield ".SH DESCRIPTION\nWithout a command, the full screen opens; F1 shows its keys there."
    yield "The answer goes to stdout, everything else to stderr."
    yield ".SH OPTIONS"
    yield from _options(tui_chat, root, skip=COMMON)
    yield ".SS Accepted before every command and after it"
    yield from _options(tui_chat, root, only=COMMON)
    yield ".SH COMMANDS"
    for name in tui_chat.list_commands(root):
        yield from _command(name, tui_chat.get_command(root, name), root)
    yield from _table("EXIT STATUS", {str(int(code)): text for code, text in EXITS.items()})
    yield from _table("FILES", PLACES)
    yield from _table("ENVIRONMENT", VARIABLES)
    yield ".SH SEE ALSO\nThe folder docs of the sources: a page for each subject."


def _command(path: str, command: click.Command | None, parent: click.Context) -> Iterator[str]:
    assert command is not None, path
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "COMMAND [ARGS]..."]
    yield f".SS {_plain(' '.join(['tui-chat', path, *pieces]))}"
    for paragraph in (command.help or "").split("\n\n"):
        literal, text = paragraph.startswith("\b"), _plain(paragraph.removeprefix("\b").strip("\n"))
        yield f".PP\n.nf\n{text}\n.fi" if literal else f".PP\n{' '.join(text.split())}"
    yield from _options(command, context, skip=COMMON | {"help"})
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _command(f"{path} {name}", command.get_command(context, name), context)


def _options(
    command: click.Command, context: click.Context, *, only: set[str] | None = None, skip: set[str] | None = None
) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        name = parameter.name or ""
        if (
            isinstance(parameter, click.Option)
            and record is not None
            and (only is None or name in only)
            and name not in (skip or set())
        ):
            yield f".TP\n.B {_plain(record[0])}\n{_plain(record[1])}"


def _table(title: str, rows: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for term, text in rows.items():
        yield f".TP\n.B {_plain(term)}\n{_plain(text)}"


def _plain(text: str) -> str:
    """Text without meaning to roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in escaped.splitlines())


# The pictures

LANES = "[compare.speeds]\nlanes = [{ model = 'demo-fast' }, { model = 'demo-reasoning' }]\n"
CELL = 12.2
"""Width of a character in the pictures, in their own units."""
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_TEXT = re.compile(r'x="([\d.]+)" (y="[\d.]+") textLength="([\d.]+)" ([^>]*)>((?:&#160;)+)')


def drawn(chat: Chat) -> str:
    """The screen as SVG that loads nothing, and in which no renderer can lose the spaces before a word."""
    svg = _FONTS.sub("", chat.app.export_screenshot(title="tui-chat"))

    def moved(found: re.Match[str]) -> str:
        x, y, length, rest, spaces = found.groups()
        gap = CELL * (len(spaces) // len("&#160;"))
        return f'x="{float(x) + gap:g}" {y} textLength="{float(length) - gap:g}" {rest}>'

    return _TEXT.sub(moved, svg)


async def shoot(env: dict[str, str], name: str, size: tuple[int, int], theme: str = "night") -> None:
    """One picture of the program on its built-in endpoint, which answers at its usual speed."""
    async with opened(env, "demo-reasoning", demo=True, size=size) as chat:
        chat.app.theme = theme
        await SCENES[name](chat)
        await chat.settle()
        (PICTURES / f"{name}.svg").write_text(drawn(chat), "utf-8")


async def _streaming(chat: Chat) -> None:
    await chat.send("Show me a table and some code")
    await asyncio.sleep(5.5)


async def _history(chat: Chat) -> None:
    for question in ("Which keys are there?", "What do the figures mean?", "How do I use it over SSH?"):
        await chat.press("alt+n")
        await chat.ask(question)
    await chat.press("f3")
    await asyncio.sleep(1)


async def _settings(chat: Chat) -> None:
    await chat.press("alt+s")
    await asyncio.sleep(1)


async def _comparing(chat: Chat) -> None:
    await chat.send("/compare speeds")
    await asyncio.sleep(1)
    await chat.type("How do I cancel a reply?\n")
    await asyncio.sleep(3)


SCENES = {
    "compare": _comparing,
    "chat": _streaming,
    "chat-light": _streaming,
    "history": _history,
    "settings": _settings,
}


def pictures(names: list[str]) -> None:
    """Draw those that are named, else all."""
    PICTURES.mkdir(exist_ok=True)
    for name in names or SCENES:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.toml"
            config.write_text(LANES, "utf-8")
            env = {"TUI_CHAT_CONFIG": str(config), "TUI_CHAT_DATA_DIR": f"{folder}/data"}
            size, theme = ((80, 24), "paper") if name == "chat-light" else ((110, 32), "night")
            asyncio.run(shoot(env, name, size, theme))


def main() -> None:
    match sys.argv[1:]:
        case ["keys"]:
            KEYS.write_text(keys_page(), "utf-8")
        case ["man"]:
            MAN.write_text(man_page(), "utf-8")
        case ["pictures", *names]:
            pictures(names)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
