"""`tui-chat config`: path, show, init, check."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import msgspec

from tests.cli.conftest import KEY
from tests.kit.program import Program
from tui_chat.store import schema
from tui_chat.store.config import SECTIONS
from tui_chat.store.state import remember

FILE = f"""
endpoint = "work"
[endpoints.work]
base_url = "https://gateway.example/v1"
api_key = "{KEY}"
headers = {{ "X-Team" = "a", Authorization = "Bearer {KEY}" }}
proxy = "http://user:{KEY}@proxy.example:3128"
extra_body = {{ api_key = "{KEY}", tier = "flex" }}
timeouts = {{ connect = 3 }}
[profiles.fast]
temperature = 0.5
extra_body = {{ token = "{KEY}" }}
[compare.temps]
lanes = [{{ profile = "fast", temperature = 0.0 }}]
[ui]
fps = 30
"""


def write(program: Program, text: str) -> Path:
    path = Path(program.run("config", "path").out.strip())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def shown(program: Program) -> dict[str, tuple[object, str]]:
    rows = json.loads(program.run("config", "show", "--json").out)
    return {row["key"]: (row["value"], row["source"]) for row in rows}


def test_each_value_with_where_it_comes_from_and_no_key(program: Program) -> None:
    file = str(write(program, FILE))
    program.env["OPENAI_BASE_URL"] = "https://elsewhere.example/v1"
    program.env["OPENAI_API_KEY"] = KEY
    told = shown(program)
    assert told["endpoint"] == ("work", file)
    assert told["ui.fps"] == (30, file)
    assert told["ui.follow"] == ("smooth", "default")
    assert told["budget.per_day"] == (None, "default")
    assert told["endpoints.work.proxy"] == ("http://proxy.example:3128", file)
    assert told["endpoints.work.extra_body"] == ({"api_key": "…", "tier": "flex"}, file)
    assert told["endpoints.work.headers.X-Team"] == ("…", file)
    assert told["endpoints.work.timeouts.connect"] == (3, file)
    assert told["endpoints.work.key"] == ("is set", f"api_key of endpoints.work in {file}")
    assert told["endpoints.openai.base_url"] == ("https://elsewhere.example/v1", "OPENAI_BASE_URL")
    assert told["endpoints.openai.key"] == ("is set", "OPENAI_API_KEY")
    assert told["endpoints.groq.base_url"] == ("https://api.groq.com/openai/v1", "catalog")
    assert told["endpoints.groq.key"] == ("is not set", "GROQ_API_KEY")
    assert told["profiles.fast.extra_body"] == ({"token": "…"}, file)


def test_what_is_printed_can_be_read_as_toml(program: Program) -> None:
    write(program, FILE)
    done = program.run("config", "show")
    assert (done.code, done.err) == (0, "")
    read = msgspec.toml.decode(done.out)
    assert read["ui"]["fps"] == 30
    assert read["compare"]["temps"]["lanes"] == [{"profile": "fast", "temperature": 0}]


def test_a_wrong_value_is_told_and_the_default_is_shown(program: Program) -> None:
    write(program, "[ui]\nfps = 300\n")
    assert shown(program)["ui.fps"] == (20, "default")
    assert "ui.fps must be a whole number from 1 to 60" in program.run("config", "show").err


def test_init_writes_once_and_for_the_owner_alone(program: Program) -> None:
    path = Path(program.run("config", "path").out.strip())
    done = program.run("config", "init")
    assert (done.code, done.out) == (0, "")
    assert str(path) in done.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert program.run("config", "check").out == f"{path}: no mistake found.\n"
    path.write_text("# mine\n", encoding="utf-8")
    done = program.run("config", "init")
    assert (done.code, done.out) == (2, "")
    assert "is there already" in done.err
    assert path.read_text(encoding="utf-8") == "# mine\n"


def test_every_setting_stands_in_it_and_every_line_is_right(program: Program) -> None:
    text = program.run("config", "init", "--stdout").out
    live = re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert live != text
    write(program, live)
    done = program.run("config", "check")
    assert (done.code, done.err) == (0, "")
    sections = msgspec.toml.decode(live)
    assert set(sections) == {"endpoint", "model", "profile", *SECTIONS}
    for section, shape in (("ui", schema.Ui), ("budget", schema.Budget), ("currency", schema.Currency)):
        assert set(sections[section]) == set(shape.__struct_encode_fields__)
    others = {"api_key_command", "api_key", "ca_file"}
    assert set(sections["endpoints"]["work"]) | others == set(schema.EndpointTable.__struct_encode_fields__)
    assert set(sections["profiles"]["short"]) == set(schema.ProfileTable.__struct_encode_fields__)


TEN = """
endpoint = "wrk"
modle = "x"
[endpoints.work]
base_url = "gateway.example"
[endpoints.other]
base_url = "https://other.example/v1"
api_key = "$OTHER"
[profiles.fast]
temperature = "hot"
[profiles.fats]
endpoint = "nobody"
[prices.m]
input = -1
output = 1
[budget]
per_day = "5"
[currency]
code = "euro"
[ui]
fps = 0
follow = "smoth"
"""


def test_ten_mistakes_are_ten_lines(program: Program) -> None:
    path = write(program, TEN)
    done = program.run("config", "check")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    keys = (
        "endpoint ",
        "modle ",
        "endpoints.work.base_url ",
        "endpoints.other.api_key ",
        "profiles.fast.temperature ",
        "profiles.fats.endpoint ",
        "prices.m.input ",
        "budget.per_day ",
        "currency.code ",
        "ui.fps ",
        "ui.follow ",
    )
    assert len(lines) == len(keys)
    for key in keys:
        assert sum(f"{path}: {key}" in line for line in lines) == 1, key
    told = json.loads(program.run("config", "check", "--json").out)
    assert [f"tui-chat: {row['message']}" for row in told] == lines


KEYS = """
[keys]
preset = "no-f-key"
retri = "f5"
retry = "f6"
mark = "hyper+x"
fork = "ctrl+k"
help = "f12"
"""


def test_mistakes_in_keys_are_found_without_a_screen(program: Program) -> None:
    path = write(program, KEYS)
    done = program.run("config", "check")
    assert done.code == 2
    lines = done.err.splitlines()
    for name in ("preset", "retri", "retry", "mark", "fork"):
        assert sum(f"{path}: keys.{name} " in line for line in lines) == 1, name
    assert len(lines) == 5


def test_the_theme_that_counts_is_the_one_chosen_on_the_screen(program: Program) -> None:
    file = str(write(program, '[ui]\ntheme = "paper"\n'))
    program.env["TUI_CHAT_DATA_DIR"] = str(program.home / "data")
    assert shown(program)["ui.theme"] == ("paper", file)
    state = remember(program.env, theme="ember")
    assert shown(program)["ui.theme"] == ("ember", state.file)


def test_a_theme_that_there_is_not(program: Program) -> None:
    path = write(program, '[ui]\ntheme = "papre"\n')
    done = program.run("config", "check")
    assert done.code == 2
    assert f"{path}: ui.theme must be one of clear, " in done.err
    assert "did you mean “paper”?" in done.err
    themes = path.parent / "themes"
    themes.mkdir()
    (themes / "papre.toml").write_text('primary = "red"\n')
    assert program.run("config", "check").code == 0


def test_keys_that_count_are_shown_with_where_they_come_from(program: Program) -> None:
    path = write(program, '[keys]\npreset = "no-f-keys"\nhelp = "F12"\nretry = "nokey"\n')
    rows = json.loads(program.run("config", "show", "--json").out)
    found = {row["key"]: (row["value"], row["source"]) for row in rows if row["key"].startswith("keys.")}
    assert found["keys.preset"] == ("no-f-keys", str(path))
    assert found["keys.help"] == ("f12", str(path))
    assert found["keys.model"] == ("alt+l", "preset no-f-keys")
    assert found["keys.retry"] == ("alt+r", "preset no-f-keys")
    assert found["keys.quit"] == ("ctrl+q", "default")
    assert found["keys.fork"] == ("", "default")


def test_a_file_that_is_no_toml(program: Program) -> None:
    path = write(program, "endpoint = \n")
    done = program.run("config", "check")
    assert done.code == 2
    assert f"{path}" in done.err
    assert "line 1" in done.err
    assert program.run("config", "show").code == 0
