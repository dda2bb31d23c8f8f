"""ChatGPT's data export: one conversation of its conversations.json -> a Parsed.

A conversation is {title, create_time, update_time, mapping: {id: {message, parent, children}}, current_node,
conversation_id}; a message {author: {role}, content: {content_type, …}, metadata, recipient, status, create_time}.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from tui_chat.domain.words import say
from tui_chat.wire.foreign import About, Message, Parsed, conversation, dict_of, fenced, list_of, text_of, time_of

if TYPE_CHECKING:
    from tui_chat.wire.foreign import NameOf

SOURCE = "chatgpt"

_CITATION = re.compile("\ue200[^\ue200\ue201]*\ue201")
"""Marks that point to search results, which are not in the export."""
_HIDDEN = frozenset({"user_editable_context", "model_editable_context"})
_MEDIA = {"image_asset_pointer": "image", "audio_asset_pointer": "audio"}


def is_conversation(value: dict[str, Any]) -> bool:
    return isinstance(value.get("mapping"), dict)


def parse(value: dict[str, Any], name_of: NameOf, now: float) -> Parsed:
    """One conversation, for which `is_conversation` holds."""
    skipped = Counter[str]()
    mapping = dict_of(value["mapping"])
    found = [_Found(id, dict_of(node), skipped).message() for id, node in _in_order(mapping)]
    about = About(
        id=text_of(value.get("conversation_id")) or text_of(value.get("id")) or " ".join(mapping),
        source=SOURCE,
        title=text_of(value.get("title")),
        created=time_of(value.get("create_time")),
        updated=time_of(value.get("update_time")),
        current=text_of(value.get("current_node")),
    )
    return conversation(about, found, skipped, name_of, now)


def _in_order(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    """The nodes, siblings in the order that their parent gives them."""
    places: dict[str, int] = {}
    for node in mapping.values():
        for place, child in enumerate(list_of(dict_of(node).get("children"))):
            places.setdefault(text_of(child), place)
    return sorted(mapping.items(), key=lambda item: places.get(item[0], 0))


class _Found:
    """One node of the mapping on its way to a Message."""

    def __init__(self, id: str, node: dict[str, Any], skipped: Counter[str]) -> None:
        raw = dict_of(node.get("message"))
        self._raw = raw
        self._content = dict_of(raw.get("content"))
        self._metadata = dict_of(raw.get("metadata"))
        self._role = text_of(dict_of(raw.get("author")).get("role"))
        self._kind = text_of(self._content.get("content_type"))
        self._skipped = skipped
        self._message = Message(
            id=id, parent=text_of(node.get("parent")) or None, created=time_of(raw.get("create_time"))
        )

    def message(self) -> Message:
        if not self._left_out():
            self._message.role = "user" if self._role == "user" else "assistant"
            self._read()
            self._end()
        return self._message

    def _left_out(self) -> bool:
        """True when this is no turn; what it held is noted."""
        if not self._content or not self._holds_anything():
            return True
        if self._metadata.get("is_visually_hidden_from_conversation") is True or self._kind in _HIDDEN:
            return self._skip(say("import.left_hidden"))
        if self._role == "system":
            return self._skip(say("import.left_system"))
        if self._role == "tool" or (self._role == "assistant" and self._raw.get("recipient") not in (None, "all")):
            return self._skip(say("import.left_tool"))
        if self._role not in ("user", "assistant"):
            return self._skip(say("import.left_role", role=self._role))
        return False

    def _skip(self, why: str) -> bool:
        self._skipped[why] += 1
        return True

    def _holds_anything(self) -> bool:
        return any(value not in ("", None, [], [""]) for key, value in self._content.items() if key != "content_type")

    def _read(self) -> None:
        match self._kind:
            case "text" | "multimodal_text":
                self._message.parts = [self._part(part) for part in list_of(self._content.get("parts"))]
            case "code":
                language = text_of(self._content.get("language")).replace("unknown", "")
                self._message.parts = [fenced(text_of(self._content.get("text")), language)]
            case "thoughts":
                thoughts = [dict_of(thought) for thought in list_of(self._content.get("thoughts"))]
                self._message.thoughts = [text_of(t.get("content")) or text_of(t.get("summary")) for t in thoughts]
            case "reasoning_recap":
                pass
            case _:
                self._skip(say("import.left_kind", kind=self._kind))

    def _part(self, part: Any) -> str:
        if isinstance(part, str):
            return self._without_citations(part)
        kind = text_of(dict_of(part).get("content_type"))
        if kind == "audio_transcription":
            return text_of(dict_of(part).get("text"))
        what = _MEDIA.get(kind, kind or "?")
        self._skip(say("import.left_kind", kind=what))
        return say("import.placeholder", what=what)

    def _without_citations(self, text: str) -> str:
        text, count = _CITATION.subn("", text)
        if count:
            self._skipped[say("import.left_citations")] += count
        return text

    def _end(self) -> None:
        """How the answer ended, and which model gave it."""
        finish = text_of(dict_of(self._metadata.get("finish_details")).get("type"))
        self._message.model = text_of(self._metadata.get("model_slug")) or None
        if finish == "max_tokens":
            self._message.finish_reason = "length"
        elif finish == "interrupted" or self._raw.get("status") == "in_progress":
            self._message.state = "cancelled"
