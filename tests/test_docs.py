"""What the documentation says is tried: commands are run, configurations loaded, links followed.

Blocks marked `sh` are run, line by line, against a server that answers every model. Blocks marked `console`, whose
commands follow a `$`, and the installation, marked `shell`, need what a test has not (a terminal, a network, a key, a
cluster): of each tui-chat in them, command and options are looked up. ID, RUN and N stand for what a reader puts in.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import click
import pytest

from tests.kit.program import COMMAND, ROOT, clean_environment
from tests.kit.serving import Asked, Canned, canned_server
from tui_chat.cli.groups import Commands
from tui_chat.cli.main import tui_chat
from tui_chat.store.config import load

DEADLINE_S = 60.0
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"(?:^|[\s(/'\"])tui-chat(?= |$)([^|;&<>()]*)")
CONFIG = """
[endpoints.work]
base_url = "{url}"
api_key_env = "WORK_KEY"
default_model = "small-model"
[profiles.fast]
endpoint = "work"
model = "small-model"
[profiles.deep]
endpoint = "work"
model = "big-model"
[compare.temps]
lanes = [{{ profile = "fast", temperature = 0.0 }}, {{ profile = "fast", temperature = 1.0 }}]
[prices."work/*"]
input = 0.15
output = 0.60
"""
FILES = {
    "in.jsonl": '{"id": "a", "prompt": "Why is the sky blue?"}\n{"id": "b", "prompt": "And at night?"}\n',
    "people.csv": "name,city\nAn,Huế\nBob,Leeds\n",
    "notes.txt": "Milk, eggs, bread.\n",
    "prices.json": json.dumps(
        {
            "m": {
                "mode": "chat",
                "litellm_provider": "openai",
                "input_cost_per_token": 1e-6,
                "output_cost_per_token": 2e-6,
            }
        }
    ),
    "conversations.json": json.dumps(
        [
            {
                "uuid": "1",
                "name": "From Claude",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "chat_messages": [
                    {"uuid": "2", "sender": "human", "text": "hi", "created_at": "2026-01-01T00:00:00Z"},
                    {"uuid": "3", "sender": "assistant", "text": "hello", "created_at": "2026-01-01T00:00:01Z"},
                ],
            }
        ]
    ),
}
USAGE = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}


def blocks(page: Path, language: str) -> list[str]:
    return [body for name, body in BLOCK.findall(page.read_text("utf-8")) if name == language]


def commands(body: str) -> Iterator[str]:
    """The lines of a block, with continued ones joined and comments left out."""
    for line in body.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def answer(asked: Asked) -> Canned:
    """A server that has every model; `broken-model` stops in the middle of its first."""
    if asked.method == "GET":
        return Canned(json.dumps({"data": [{"id": "small-model"}, {"id": "big-model"}]}).encode())
    body = json.loads(asked.body)
    text = "Blue light is scattered most."
    if not body.get("stream"):
        message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", "index": 0}
        return Canned(json.dumps({"choices": [message], "usage": USAGE}).encode())
    chunks = [{"choices": [{"index": 0, "delta": {"content": word + " "}}]} for word in text.split()]
    whole = body["model"] != "broken-model" or len(body["messages"]) > 1
    if whole:
        chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}]
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"][
        : "broken" not in body["model"]
    ]
    return Canned("".join(events).encode(), content_type="text/event-stream")


class Reader:
    """Somebody with the program, some conversations and some files, who types what a page says."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.env = clean_environment(home, OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-docs-1", WORK_KEY="sk-docs-2")
        self.env |= {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "GIT_CEILING_DIRECTORIES": str(home.parent)}
        self.ids: list[str] = []
        self.broken = ""

    def prepare(self, url: str) -> None:
        """Put down what the pages take for granted."""
        program = self.home / "bin" / "tui-chat"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
        program.chmod(0o755)
        config = self.home / ".config" / "tui-chat" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(CONFIG.format(url=url))
        for name, text in FILES.items():
            (self.home / name).write_text(text)
        self.type("tui-chat --record slow.rec ask -m work/broken-model 'Why is it slow?' --json > broken.json")
        for command in ("ask -m work/small-model 'Why is the sky blue?'", "ask -m work/big-model 'Name three colours'"):
            assert self.type(f"tui-chat {command}").returncode == 0
        self.look()

    def look(self) -> None:
        """Learn the ids that stand where a page says ID and RUN."""
        listed = self.type("tui-chat history list --json")
        self.ids = [row["id"] for row in json.loads(listed.stdout)]
        self.broken = json.loads((self.home / "broken.json").read_text())["run"]

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        ids = cycle(self.ids or ["ID"])
        line = re.sub(r"\bID\b", lambda _: next(ids), line).replace("RUN", self.broken or "RUN")
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            env=self.env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
            text=True,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with canned_server(answer) as served:
        yield served.base_url


@pytest.fixture(scope="module")
def prepared(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("reader") / "home"
    Reader(home, server).prepare(server)
    return home


@pytest.fixture
def reader(server: str, prepared: Path, tmp_path: Path) -> Reader:
    """The same for each page, in a home of its own."""
    home = tmp_path / "home"
    shutil.copytree(prepared, home)
    made = Reader(home, server)
    made.look()
    return made


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=name_of)
def test_every_command_does_what_it_is_there_for(page: Path, reader: Reader) -> None:
    for line in (line for body in blocks(page, "sh") for line in commands(body)):
        done = reader.type(line)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def looked_up(words: list[str]) -> None:
    """Go down to the command that is meant, and look up its options. Raises click's own errors."""
    command: click.Command = tui_chat
    context = click.Context(command, info_name="tui-chat", **tui_chat.context_settings)
    while True:
        parser = command.make_parser(context)
        parser.ignore_unknown_options = False
        _, rest, _ = parser.parse_args(list(words))
        if not isinstance(command, Commands) or not rest:
            return
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.UsageError(f"no command {rest[0]}")
        command, words = found, rest[1:]
        context = click.Context(command, parent=context)


def told() -> list[tuple[str, str]]:
    """(page, command) of all that is not run."""
    found = []
    for page in PAGES:
        for body in blocks(page, "console") + blocks(page, "shell"):
            lines = [line.removeprefix("$ ") for line in commands(body)]
            found += [(name_of(page), m.group(1)) for line in lines for m in PROGRAM.finditer(line)]
    return found


@pytest.mark.parametrize(("page", "command"), told())
def test_what_is_not_run_has_options_that_exist(page: str, command: str) -> None:
    looked_up(
        shlex.split(
            command.rstrip("'\"") if command.count("'") % 2 or command.count('"') % 2 else command, comments=True
        )
    )


def test_a_wrong_option_would_be_found() -> None:
    with pytest.raises(click.NoSuchOption):
        looked_up(["ask", "--no-such"])
    with pytest.raises(click.UsageError):
        looked_up(["history", "burn"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_configuration_is_without_mistakes(page: Path, tmp_path: Path) -> None:
    for number, body in enumerate(blocks(page, "toml")):
        if "primary" in tomllib.loads(body):
            continue
        file = tmp_path / f"{number}.toml"
        file.write_text(body, "utf-8")
        problems = load({"TUI_CHAT_CONFIG": str(file), "TUI_CHAT_DATA_DIR": str(tmp_path)}).problems
        # A profile or lane may name an endpoint that another block of the page has.
        assert not [p for p in map(str, problems) if "work" not in p], f"{body}\n{problems}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) + re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert not [t for t in targets if "://" not in t and not (page.parent / t).exists()]


def test_the_rooms_that_the_architecture_names_are_there() -> None:
    rooms = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Rooms")[2].partition("\n## ")[0]
    for part in rooms.split("### `")[1:]:
        room = ROOT / "tui_chat" / part.partition("/")[0]
        named = re.findall(r"`([a-z0-9_]+)`", part)
        assert not [name for name in named if not (room / name).is_dir() and not (room / f"{name}.py").exists()], room


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert not [
        page.name for page in ROOT.glob("docs/*.md") if page.name != "README.md" and f"]({page.name})" not in index
    ]


def test_the_readme_in_another_language_shows_the_same_commands() -> None:
    def shape(name: str) -> list[list[str]]:
        """The program and the options of each command."""
        words = [shlex.split(c, comments=True) for body in blocks(ROOT / name, "sh") for c in commands(body)]
        return [[word for word in line if word == "tui-chat" or word.startswith("-")] for line in words]

    assert shape("README.md") == shape("README.vi.md")
