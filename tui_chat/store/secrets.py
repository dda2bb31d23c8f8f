"""Keys: how one is read, made clean, found where the configuration points, and kept when it was pasted on screen.

No message and no exception of this module holds a key.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import tomli_w
from msgspec import Struct

from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import ConfigError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.files import locked, open_to_others, read_toml, reason, write_private
from tui_chat.store.paths import keys_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND_SECONDS = 10.0
STDERR_CHARACTERS = 200

_SENDABLE = re.compile(r"[\x21-\x7e]+")


class KeySource(Struct, frozen=True):
    """Where the key of one endpoint may come from; the first that has one wins, in the order of the fields."""

    endpoint: str
    variable: str | None = None
    command: tuple[str, ...] = ()
    inline: Secret | None = None
    saved: Secret | None = None
    inline_place: str = ""
    saved_place: str = ""

    @property
    def place(self) -> str:
        """The first place that is looked at, for messages."""
        if self.variable:
            return self.variable
        if self.command:
            return say("config.place.command", endpoint=self.endpoint)
        if self.inline:
            return self.inline_place
        return self.saved_place if self.saved else say("config.place.none", endpoint=self.endpoint)

    def has_key(self, env: Mapping[str, str]) -> bool:
        """True when a key, or a command that gives one, is there; runs nothing."""
        return bool(in_environment(env, self.variable) or self.command or self.inline or self.saved)


def resolve_key(source: KeySource, env: Mapping[str, str]) -> tuple[Secret | None, str]:
    """The key and the place where it was found, or None and the place that was looked at.

    Runs the command, if it comes to that, and blocks for as long, at most ten seconds. Raises ConfigError.
    """
    if value := in_environment(env, source.variable):
        return clean_key(value, source.variable or ""), source.variable or ""
    if source.command:
        return clean_key(_run(source, env), source.place), source.place
    for secret, place in ((source.inline, source.inline_place), (source.saved, source.saved_place)):
        if secret:
            return clean_key(secret.reveal(), place), place
    return None, source.place


def in_environment(env: Mapping[str, str], variable: str | None) -> str:
    """The variable's value without white space around it; empty when unset."""
    return env.get(variable, "").strip() if variable else ""


def clean_key(text: str, place: str) -> Secret:
    """The key in `text`, white space around it taken off. Raises ConfigError when no HTTP header could carry it."""
    key = text.strip()
    if not key:
        raise ConfigError(say("config.key_empty", place=place))
    if not _SENDABLE.fullmatch(key):
        raise ConfigError(say("config.key_characters", place=place))
    return Secret(key)


def _run(source: KeySource, env: Mapping[str, str]) -> str:
    """The first line that the key command prints; password stores put notes on those below."""
    place = source.place
    try:
        done = subprocess.run(
            source.command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            env=dict(env),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(say("config.command_slow", place=place, seconds=COMMAND_SECONDS)) from None
    except OSError as error:
        raise ConfigError(say("config.command_start", place=place, reason=reason(error))) from None
    except ValueError:
        raise ConfigError(say("config.command_start", place=place, reason=say("config.command_nul"))) from None
    if done.returncode != 0:
        raise ConfigError(say("config.command_failed", place=place, code=done.returncode, said=_complaint(done.stderr)))
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    if not lines:
        raise ConfigError(say("config.command_silent", place=place))
    return lines[0]


def _complaint(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return visible_line(lines[0], STDERR_CHARACTERS) if lines else say("config.command_no_word")


def load_keys(env: Mapping[str, str]) -> dict[str, Secret]:
    """The saved keys by endpoint. Raises ConfigError when others may read the file, StoreError when nobody can."""
    return {name: Secret(key) for name, key in _read(keys_file(env)).items() if isinstance(key, str)}


def save_key(env: Mapping[str, str], endpoint: str, key: str) -> None:
    """Keep `key` for `endpoint`. Raises ConfigError for a key that cannot be sent, StoreError."""
    path = keys_file(env)
    secret = clean_key(key, say("config.place.pasted"))
    with locked(path):
        write_private(path, tomli_w.dumps({**_read(path), endpoint: secret.reveal()}))


def forget_key(env: Mapping[str, str], endpoint: str) -> bool:
    """Drop the saved key; False when there was none."""
    path = keys_file(env)
    with locked(path):
        keys = _read(path)
        if endpoint not in keys:
            return False
        del keys[endpoint]
        write_private(path, tomli_w.dumps(keys))
    return True


def _read(path: Path) -> dict[str, Any]:
    content = read_toml(path)
    if content and open_to_others(path):
        raise ConfigError(say("config.keys_open", path=path, chmod=chmod_line(path)))
    return content


def chmod_line(path: Path) -> str:
    """The shell line that takes the file out of others' sight."""
    return f"chmod 600 {shlex.quote(str(path))}"
