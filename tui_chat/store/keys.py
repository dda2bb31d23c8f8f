"""`[keys]`: a preset, and over it the keys of single actions."""

from __future__ import annotations

from collections.abc import Mapping

from tui_chat.domain.actions import BY_NAME
from tui_chat.domain.keymap import PRESET, PRESETS, Keymap, preset, resolve
from tui_chat.domain.words import say
from tui_chat.store.tables import Reader, must_be, not_one_of


def read_keys(section: Mapping[str, object], reader: Reader) -> Keymap:
    """The keys that count; each mistake is reported and spares the rest."""
    reader.unknown_keys(section, (PRESET, *BY_NAME), ("keys",))
    known = {name: keys for name, keys in section.items() if name in BY_NAME}
    written, _ = reader.entries(str, known, ("keys",))
    keymap, faults = resolve(written, preset(_preset(section, reader)))
    for name, fault in faults:
        reader.report(("keys", name), fault)
    return keymap


def _preset(section: Mapping[str, object], reader: Reader) -> str:
    name = section.get(PRESET, "default")
    if isinstance(name, str) and name in PRESETS:
        return name
    fault = not_one_of(name, tuple(PRESETS)) if isinstance(name, str) else must_be(say("config.kind.text"), name)
    reader.report(("keys", PRESET), fault)
    return "default"
