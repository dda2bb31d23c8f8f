"""Claude's data export: one conversation of its conversations.json -> a Parsed.

A conversation is {uuid, name, created_at, updated_at, chat_messages}; a message {uuid, sender, text, content: [{type,
text | thinking | …}], created_at, attachments: [{file_name, extracted_content}], files, parent_message_uuid}. Without
parents each message follows the one before it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tui_chat.domain.words import say
from tui_chat.wire.foreign import About, Message, Parsed, conversation, dict_of, fenced, list_of, text_of, time_of

if TYPE_CHECKING:
    from tui_chat.wire.foreign import NameOf

SOURCE = "claude"
TOOLS = frozenset({"tool_use", "tool_result"})


def is_conversation(value: dict[str, Any]) -> bool:
    return isinstance(value.get("chat_messages"), list)


def parse(value: dict[str, Any], name_of: NameOf, now: float) -> Parsed:
    """One conversation, for which `is_conversation` holds."""
    skipped = Counter[str]()
    messages: dict[str, Message] = {}
    last: str | None = None
    for number, raw in enumerate(map(dict_of, list_of(value["chat_messages"]))):
        message = _message(raw, text_of(raw.get("uuid")) or f"message {number}", last, skipped)
        if message.id in messages:
            skipped[say("import.left_twice")] += 1
            continue
        messages[message.id] = message
        last = message.id
    about = About(
        id=text_of(value.get("uuid")) or " ".join(messages),
        source=SOURCE,
        title=text_of(value.get("name")),
        created=time_of(value.get("created_at")),
        updated=time_of(value.get("updated_at")),
        current=text_of(value.get("current_leaf_message_uuid")) or last,
    )
    return conversation(about, list(messages.values()), skipped, name_of, now)


def _message(raw: dict[str, Any], id: str, last: str | None, skipped: Counter[str]) -> Message:
    parent = text_of(raw.get("parent_message_uuid")) if "parent_message_uuid" in raw else last
    message = Message(id=id, parent=parent or None, created=time_of(raw.get("created_at")))
    sender = text_of(raw.get("sender"))
    if sender in ("human", "assistant"):
        message.role = "user" if sender == "human" else "assistant"
        _read(message, raw, skipped)
    elif raw:
        skipped[say("import.left_role", role=sender)] += 1
    return message


def _read(message: Message, raw: dict[str, Any], skipped: Counter[str]) -> None:
    for block in map(dict_of, list_of(raw.get("content"))):
        match text_of(block.get("type")):
            case "text":
                message.parts.append(text_of(block.get("text")))
            case "thinking":
                message.thoughts.append(text_of(block.get("thinking")))
            case kind if kind in TOOLS:
                skipped[say("import.left_tool")] += 1
            case kind:
                skipped[say("import.left_kind", kind=kind)] += 1
    if not any(part.strip() for part in message.parts):
        message.parts = [text_of(raw.get("text"))]
    _read_files(message, raw, skipped)


def _read_files(message: Message, raw: dict[str, Any], skipped: Counter[str]) -> None:
    """Texts that were attached follow the message; of other files there is but the name."""
    names: dict[str, None] = {}
    for file in map(dict_of, list_of(raw.get("attachments"))):
        name, content = text_of(file.get("file_name")), text_of(file.get("extracted_content"))
        if content:
            message.parts.append(f"{say('import.attachment', name=name)}\n\n{fenced(content)}")
        else:
            names[name] = None
    names |= dict.fromkeys(text_of(dict_of(file).get("file_name")) for file in list_of(raw.get("files")))
    for name in names:
        skipped[say("import.left_kind", kind="file")] += 1
        message.parts.append(say("import.placeholder", what=name or "file"))
