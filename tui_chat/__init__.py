"""tui-chat: a terminal workstation for language models that stream over SSE."""

__version__ = "0.1.0"
