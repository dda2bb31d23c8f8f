"""What the first screen stands without and the first message needs."""

from __future__ import annotations

from importlib import import_module

NEEDED = (
    "tui_chat.net.transport",
    "tui_chat.engine.lanes",
    "tui_chat.wire.openai_chat",
    "tui_chat.domain.folding",
    "tui_chat.ui.rows.turn",
    "markdown_it",
)


def warm_up() -> None:
    """Import it; to be called in a thread."""
    for name in NEEDED:
        import_module(name)
