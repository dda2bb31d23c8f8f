"""The images of a request: their bytes are added to an Ask before it leaves, where the model takes any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.ask import IMAGE
from tui_chat.domain.failure import Broken, Failure, Kind
from tui_chat.domain.words import say
from tui_chat.wire.refusals import refuses_images

if TYPE_CHECKING:
    from tui_chat.domain.ask import Ask
    from tui_chat.engine.ports import Engine


async def with_images(engine: Engine, ask: Ask) -> Ask:
    """The Ask with the bytes of its images, as far as they are there and the model takes any; others go as words.

    Raises Broken where that would concern an image of the question itself.
    """
    if not any(IMAGE in message.text for message in ask.messages):
        return ask
    from tui_chat.domain.images import images_in

    sees = engine.sees(ask.endpoint, ask.model)
    new = {image.digest for image in images_in(ask.messages[-1].text)}
    if new and sees is False:
        raise Broken(Failure(Kind.BAD_REQUEST, say("fail.no_vision", model=ask.model), say("hint.no_vision")))
    if sees is False or (not new and _place(ask) in engine.blind):
        return ask
    images: dict[str, str] = {}
    for image in (image for message in ask.messages if message.role == "user" for image in images_in(message.text)):
        data = images.get(image.digest) or await engine.images.base64(image.digest)
        if data is not None:
            images[image.digest] = data
        elif image.digest in new:
            message = say("fail.image_gone", image=image.line)
            raise Broken(Failure(Kind.BAD_REQUEST, message, say("hint.image_gone")))
    return replace(ask, images=images)


def turned_down(engine: Engine, ask: Ask, trouble: Failure) -> Failure | Ask | None:
    """What follows from a refusal of images: the end where the question has any, else the Ask with words for them.

    None where the trouble is another one.
    """
    if not ask.images or not refuses_images(trouble.message):
        return None
    from tui_chat.domain.images import images_in

    engine.blind.add(_place(ask))
    if not images_in(ask.messages[-1].text):
        return replace(ask, images={})
    message = say("fail.images_refused", model=ask.model, message=trouble.message)
    return replace(trouble, kind=Kind.BAD_REQUEST, message=message, hint=say("hint.no_vision"), retryable=False)


def _place(ask: Ask) -> tuple[str, str]:
    return ask.endpoint.origin, ask.model
