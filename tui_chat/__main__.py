"""`python -m tui_chat` and the script `tui-chat`."""

from __future__ import annotations

from tui_chat.cli.main import main

if __name__ == "__main__":
    main()
