"""Images in the requests of each dialect, and refusals of them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.kit.pictures import JPEG, PNG, picture
from tui_chat.domain.ask import Ask, Message
from tui_chat.domain.endpoint import Endpoint
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wire.model_list import read_models
from tui_chat.wire.refusals import refuses_images

SHOT, PHOTO = picture(), picture("b.jpg", JPEG)
DATA, PHOTO_DATA = b64encode(PNG).decode(), b64encode(JPEG).decode()
IMAGES = {SHOT.digest: DATA, PHOTO.digest: PHOTO_DATA}
WORDS = "[image: shot.png, 5×3, 77 B]"


def sent(dialect: str, text: str, images: dict[str, str] = IMAGES, role: Any = "user") -> Any:
    endpoint = Endpoint("work", "https://gateway.example/v1", dialect=dialect)
    before = (Message("user", "before"), Message("assistant", "so")) if role == "user" else ()
    ask = Ask(endpoint, "m", (*before, Message(role, text)), images=images)
    body = json.loads(DIALECTS[dialect].encode(ask, frozenset({"cache_control"})).body)
    match dialect:
        case "gemini":
            return body["contents"][-1]["parts"]
        case "openai-responses":
            return body["input"][-1]["content"]
        case _:
            return body["messages"][-1]["content"]


EXPECTED: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [
        {"type": "text", "text": "look "},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
        {"type": "text", "text": " and"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PHOTO_DATA}"}},
    ],
    "anthropic": [
        {"type": "text", "text": "look "},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
        {"type": "text", "text": " and"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PHOTO_DATA}},
    ],
    "gemini": [
        {"text": "look "},
        {"inlineData": {"mimeType": "image/png", "data": DATA}},
        {"text": " and"},
        {"inlineData": {"mimeType": "image/jpeg", "data": PHOTO_DATA}},
    ],
    "openai-responses": [
        {"type": "input_text", "text": "look "},
        {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
        {"type": "input_text", "text": " and"},
        {"type": "input_image", "image_url": f"data:image/jpeg;base64,{PHOTO_DATA}"},
    ],
}


def test_every_dialect_is_here() -> None:
    assert set(EXPECTED) == set(DIALECTS)


@pytest.mark.parametrize("dialect", EXPECTED)
def test_texts_and_images_in_their_order(dialect: str) -> None:
    assert sent(dialect, f"look {SHOT.block} and{PHOTO.block}\n") == EXPECTED[dialect]


@pytest.mark.parametrize("dialect", EXPECTED)
def test_an_image_whose_bytes_are_not_there_goes_as_words(dialect: str) -> None:
    assert f"look {WORDS}!" in json.dumps(sent(dialect, f"look {SHOT.block}!", {}), ensure_ascii=False)


@pytest.mark.parametrize("dialect", EXPECTED)
def test_what_a_model_writes_is_no_image(dialect: str) -> None:
    if dialect in ("openai-chat", "openai-responses"):
        assert DATA not in json.dumps(sent(dialect, f"look {SHOT.block}", role="assistant"))


def test_the_last_part_is_marked_for_the_cache() -> None:
    endpoint = Endpoint("work", "https://gateway.example/v1", dialect="anthropic")
    ask = Ask(endpoint, "m", (Message("user", f"look {SHOT.block}"),), images=IMAGES)
    body = json.loads(DIALECTS["anthropic"].encode(ask, frozenset()).body)
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "image"]
    assert ["cache_control" in part for part in body["messages"][0]["content"]] == [False, True]


def test_a_message_without_images_is_as_it_was() -> None:
    assert sent("openai-chat", "plain") == "plain"
    assert sent("openai-chat", "plain") == sent("openai-chat", "plain", {})


@pytest.mark.parametrize(
    "words",
    [
        "Invalid content type. image_url is only supported by certain models.",
        "messages[0]: unknown variant `image_url`, expected `text` at line 1 column 70",
        "Image input is not enabled for this model",
        "Image input modality is not enabled for models/gemma-3-1b-it",
        "No endpoints found that support image input",
        "Qwen/Qwen3-8B is not a multimodal model",
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "'messages.0': for 'role:user' this must be satisfied [('messages.0.content': content must be a string)]",
        "this model does not support image input",
        "The model `x` does not support image input.",
    ],
)
def test_refusals_of_images_are_known(words: str) -> None:
    assert refuses_images(words)


@pytest.mark.parametrize(
    "words",
    [
        "image exceeds 5 MB maximum: 6000000 bytes > 5242880 bytes",
        "Could not process image",
        "Rate limit reached for images per minute",
        "temperature is not supported with this model",
        "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png']",
    ],
)
def test_other_complaints_are_none(words: str) -> None:
    assert not refuses_images(words)


def test_a_list_may_say_who_takes_images() -> None:
    body = json.dumps(
        {
            "data": [
                {"id": "a", "architecture": {"input_modalities": ["text", "image"]}},
                {"id": "b", "architecture": {"input_modalities": ["text"]}},
                {"id": "c", "capabilities": {"vision": False}},
                {"id": "d", "capabilities": ["completion"]},
                {"id": "e", "architecture": "moe"},
            ]
        }
    )
    assert [(model.id, model.vision) for model in read_models(body.encode())] == [
        ("a", True), ("b", False), ("c", False), ("d", None), ("e", None),
    ]  # fmt: skip
