"""The composition root: configuration in, an engine and its chats out. It knows every layer below the faces."""

from tui_chat.store.config import DEMO
from tui_chat.wiring.chats import Chat
from tui_chat.wiring.house import House, house
from tui_chat.wiring.targets import Choice, NoEndpoint

__all__ = ["DEMO", "Chat", "Choice", "House", "NoEndpoint", "house"]
