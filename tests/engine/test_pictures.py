"""Whether the images of a conversation go along with a request."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from msgspec.structs import replace

from tests.kit import DONE, Script, Stage, refusal, said, stopped
from tests.kit.pictures import PNG, picture
from tui_chat.domain.ask import Message
from tui_chat.domain.events import Attempt, Completed, Failed
from tui_chat.domain.failure import Kind

OK: Script = [said("Hello"), stopped(), DONE]
SHOT = picture()
DATA = b64encode(PNG).decode()
NEW = (Message("user", f"look {SHOT.block}"),)
OLD = (*NEW, Message("assistant", "yes"), Message("user", "and?"))
REFUSED = refusal(500, "image input is not supported - hint: you may need to provide the mmproj")


class Kept:
    def __init__(self, **images: str) -> None:
        self.images = images

    async def base64(self, digest: str) -> str | None:
        return self.images.get(digest)


def stage(*scripts: Script, sees: bool | None = None, kept: dict[str, str] | None = None) -> Stage:
    made = Stage(*scripts)
    images = Kept(**({SHOT.digest: DATA} if kept is None else kept))
    made.engine = replace(made.engine, images=images, sees=lambda endpoint, model: sees)
    return made


def content(stage: Stage) -> list[Any]:
    """What each request held of its first message."""
    return [json.loads(request.body)["messages"][0]["content"] for request in stage.transport.requests]


async def test_the_bytes_go_along() -> None:
    for messages in (NEW, OLD):
        made = stage(OK)
        assert await made.play(messages=messages) == Completed("stop")
        assert DATA in json.dumps(content(made))


async def test_a_question_with_an_image_is_not_sent_to_a_model_that_takes_none() -> None:
    made = stage(OK, sees=False)
    outcome = await made.play(messages=NEW)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.BAD_REQUEST
    assert outcome.failure.message == "m takes no images."
    assert "edit the question" in outcome.failure.hint
    assert made.transport.requests == []


async def test_an_image_of_before_goes_as_words_to_such_a_model() -> None:
    made = stage(OK, sees=False)
    assert await made.play(messages=OLD) == Completed("stop")
    assert content(made) == ["look [image: shot.png, 5×3, 77 B]"]


async def test_a_refusal_is_told_once_and_not_tried_again() -> None:
    made = stage(REFUSED, OK)
    outcome = await made.play(messages=NEW)
    assert isinstance(outcome, Failed)
    assert outcome.failure.message.startswith("m takes no images: image input is not supported")
    assert not outcome.failure.retryable
    assert len(made.transport.requests) == 1


async def test_refused_images_of_before_go_as_words_from_then_on() -> None:
    made = stage(REFUSED, OK, OK)
    assert await made.play(messages=OLD) == Completed("stop")
    assert made.recorder.of(Attempt) == [Attempt(1), Attempt(2)]
    made.recorder.heard.clear()
    made.recorder.draft = type(made.recorder.draft)()
    assert await made.play(messages=OLD) == Completed("stop")
    assert ["data:image" in json.dumps(one) for one in content(made)] == [True, False, False]


async def test_bytes_that_are_gone() -> None:
    made = stage(OK, kept={})
    outcome = await made.play(messages=NEW)
    assert isinstance(outcome, Failed)
    assert outcome.failure.message == "shot.png, 5×3, 77 B is not kept here any more."
    made = stage(OK, kept={})
    assert await made.play(messages=OLD) == Completed("stop")
    assert content(made) == ["look [image: shot.png, 5×3, 77 B]"]
