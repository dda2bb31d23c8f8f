"""Keys: found, made clean, saved, refused, and never shown."""

import stat
import sys
import traceback
from pathlib import Path

import pytest

from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import ConfigError, StoreError
from tui_chat.store import secrets
from tui_chat.store.paths import keys_file
from tui_chat.store.secrets import KeySource, clean_key, forget_key, load_keys, resolve_key, save_key

KEY = "sk-VerySecret123"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.mark.parametrize("text", [KEY, f" {KEY}\n", f"\t{KEY}\r\n"])
def test_white_space_around_a_key_is_taken_off(text):
    assert clean_key(text, "X").reveal() == KEY


@pytest.mark.parametrize(
    "text",
    [f"{KEY} x", f"{KEY}\nx", f"{KEY}\x00", f"{KEY}\x1b[0m", f"{KEY}é", f"“{KEY}”", f"{KEY}\u200b", f"Bearer {KEY}"],
)
def test_a_key_that_no_header_carries_is_refused_unseen(text):
    with pytest.raises(ConfigError, match="The key in WORK_KEY") as caught:
        clean_key(text, "WORK_KEY")
    assert "VerySecret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_key_is_refused(text):
    with pytest.raises(ConfigError, match="empty"):
        clean_key(text, "X")


SOURCES = [
    # (source, environment, the key, its place)
    (KeySource("e", variable="V"), {"V": f"{KEY}\n"}, KEY, "V"),
    (KeySource("e", variable="V", saved=Secret("saved"), saved_place="keys"), {"V": KEY}, KEY, "V"),
    (KeySource("e", variable="V", saved=Secret("saved"), saved_place="keys"), {"V": "  "}, "saved", "keys"),
    (KeySource("e", inline=Secret(KEY), inline_place="file", saved=Secret("saved")), {}, KEY, "file"),
    (KeySource("e", command=python(f"print('{KEY}')")), {}, KEY, "api_key_command of endpoints.e"),
    (KeySource("e", command=python(f"print('{KEY}');print('note')")), {}, KEY, "api_key_command of endpoints.e"),
    (KeySource("e", variable="V"), {}, None, "V"),
    (KeySource("e"), {}, None, "api_key_env of endpoints.e"),
]


@pytest.mark.parametrize(("source", "env", "key", "place"), SOURCES)
def test_where_a_key_comes_from(source, env, key, place):
    found, where = resolve_key(source, env)
    assert (found.reveal() if found else None, where) == (key, place)
    assert source.has_key(env) is (key is not None)


COMMANDS = [
    # (command, what the line says)
    (("no-such-program-here",), "could not be started: No such file or directory"),
    (("a\x00b",), "could not be started"),
    (
        python(
            f"import sys; print('{KEY}'); print('locked', file=sys.stderr); print('more', file=sys.stderr); sys.exit(3)"
        ),
        r"failed \(exit code 3\): locked$",
    ),
    (python("import sys; sys.exit(1)"), r"exit code 1\): it printed no reason"),
    (python("import sys; sys.stderr.write('\\x1b]0;x'); sys.exit(1)"), "␛"),
    (python("pass"), "printed no key"),
    (python(f"print('{KEY} and more')"), "has a space"),
]


@pytest.mark.parametrize(("command", "says"), COMMANDS)
def test_a_command_that_gives_no_key(command, says):
    with pytest.raises(ConfigError, match=says) as caught:
        resolve_key(KeySource("work", command=command), {})
    text = "".join(traceback.format_exception(caught.value))
    assert "VerySecret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "endpoints.work" in text


def test_a_slow_command_is_given_up(monkeypatch):
    monkeypatch.setattr(secrets, "COMMAND_SECONDS", 0.2)
    source = KeySource("work", command=python(f"import time; print('{KEY}', flush=True); time.sleep(30)"))
    with pytest.raises(ConfigError, match=r"within 0\.2 s") as caught:
        resolve_key(source, {})
    assert "VerySecret" not in "".join(traceback.format_exception(caught.value))


def test_no_shell_reads_the_command(tmp_path: Path):
    with pytest.raises(ConfigError):
        resolve_key(KeySource("e", command=(f"touch {tmp_path}/x; echo k",)), {})
    key, _ = resolve_key(KeySource("e", command=("echo", "$HOME;ls")), {"HOME": "/h"})
    assert key == Secret("$HOME;ls")
    assert list(tmp_path.iterdir()) == []


def test_the_command_sees_the_environment_and_no_terminal():
    code = "import os, sys; print(os.environ['TOKEN'] + sys.stdin.read())"
    key, _ = resolve_key(KeySource("e", command=python(code)), {"TOKEN": KEY})
    assert key == Secret(KEY)


def test_saved_keys_come_back_private(env):
    save_key(env, "openai", f" {KEY}\n")
    save_key(env, "deepseek", "other")
    assert load_keys(env) == {"openai": Secret(KEY), "deepseek": Secret("other")}
    assert stat.S_IMODE(keys_file(env).stat().st_mode) == 0o600
    assert stat.S_IMODE(keys_file(env).parent.stat().st_mode) == 0o700
    assert "VerySecret" not in repr(load_keys(env))


def test_forget_key(env):
    save_key(env, "openai", KEY)
    save_key(env, "deepseek", "other")
    assert forget_key(env, "openai")
    assert not forget_key(env, "openai")
    assert load_keys(env) == {"deepseek": Secret("other")}
    assert KEY not in keys_file(env).read_text()


def test_a_key_that_cannot_be_sent_is_not_saved(env):
    with pytest.raises(ConfigError, match="the pasted text"):
        save_key(env, "openai", "sk a")
    assert not keys_file(env).exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_keys_that_others_may_read_are_refused_with_the_remedy(env, mode):
    save_key(env, "openai", KEY)
    keys_file(env).chmod(mode)
    for attempt in (lambda: load_keys(env), lambda: save_key(env, "x", "y"), lambda: forget_key(env, "openai")):
        with pytest.raises(ConfigError, match=f"chmod 600 {keys_file(env)}"):
            attempt()


def test_damaged_keys_are_neither_used_nor_overwritten(env):
    keys_file(env).parent.mkdir(parents=True)
    keys_file(env).write_text(f'openai = "{KEY}"\nx = = "{KEY}"\n')
    keys_file(env).chmod(0o600)
    for attempt in (lambda: load_keys(env), lambda: save_key(env, "x", "y")):
        with pytest.raises(StoreError, match="line 2") as caught:
            attempt()
        assert "VerySecret" not in "".join(traceback.format_exception(caught.value))
    assert keys_file(env).read_text().count(KEY) == 2
