"""The composition root: configuration in, an engine and its chats out. It knows every layer below the faces."""

from tui_chat.wiring.chats import Chat
from tui_chat.wiring.house import DEMO, Choice, House, NoEndpoint, house

__all__ = ["DEMO", "Chat", "Choice", "House", "NoEndpoint", "house"]
