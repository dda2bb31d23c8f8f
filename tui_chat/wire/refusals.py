"""Which parameter of a request an error turns down, so that the request can go again without it.

Sources: error bodies of OpenAI (`param`, codes unsupported_parameter and unsupported_value; the Responses API leaves
the code out), FastAPI servers and Mistral (`extra_forbidden`), xAI, Groq, Azure and LiteLLM (words alone).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.wire.errors import ErrorBody

WORDS_READ = 4000
"""So many characters of an error are looked at."""

_REFUSES = re.compile(
    r"unsupported|not (currently |yet )?(support|permitted|available)|n't support|unrecogni[sz]ed|unknown|unexpected"
    r"|extra inputs|extra_forbidden|deprecated|property .{0,40} is not allowed",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"must be|should be|less than|greater than|at (most|least)|out of range|too (large|small|high|low|long)"
    r"|supported values|expected one of",
    re.IGNORECASE,
)
"""Words about a value: another one would be taken, and only the user can choose it."""
_NO_IMAGES = re.compile(
    r"image.{0,60}(not (enabled|supported|allowed|available)|n't support|unsupported|only supported by)"
    r"|(not|n't) (currently |yet )?(support|accept|take|have|allow).{0,40}(image|vision|multimodal)"
    r"|no endpoints.{0,40}support image|not a (multimodal|vision) model|unknown variant `?image_url"
    r"|(only|expected).{0,20}`?text`?.{0,60}image|mmproj|content must be a string",
    re.IGNORECASE | re.DOTALL,
)
"""Words of OpenAI, DeepSeek, Mistral, Gemini, OpenRouter, Groq, vLLM and llama.cpp."""
_ORDINARY = re.compile(r"[a-z]+")


class Parameter(Struct, frozen=True):
    """A parameter that may be left out, under its name in the settings."""

    name: str
    spellings: tuple[str, ...] = ()
    """Its names on the wire, where they differ."""
    unasked: bool = False
    """True for what the user has not set: any complaint about it is enough."""

    @property
    def known_as(self) -> tuple[str, ...]:
        return self.name, *self.spellings


SAMPLING = (
    Parameter("temperature"),
    Parameter("top_p", ("topP",)),
    Parameter("seed"),
    Parameter("stop"),
    Parameter("reasoning_effort", ("reasoningEffort", "reasoning.effort", "reasoning")),
)


def refused_parameter(error: ErrorBody, parameters: Sequence[Parameter]) -> str | None:
    """The first of `parameters` that the error speaks of as not taken, by its own field or by its words."""
    words = error.words[:WORDS_READ]
    turned_down = _REFUSES.search(words) is not None and _VALUE.search(words) is None
    for parameter in parameters:
        if (turned_down or parameter.unasked) and _speaks_of(error, parameter):
            return parameter.name
    return None


def refuses_images(words: str) -> bool:
    """True when an error says that the model takes no images; to be asked of a request that had some."""
    return _NO_IMAGES.search(words[:WORDS_READ]) is not None


def _speaks_of(error: ErrorBody, parameter: Parameter) -> bool:
    if error.parameter is not None and error.parameter in parameter.known_as:
        return True
    return any(_named(name, error.message[:WORDS_READ]) for name in parameter.known_as)


def _named(name: str, words: str) -> bool:
    """True when `name` stands there as a parameter's; a word of everyday speech only in quotes or after such a word."""
    word = re.escape(name)
    if _ORDINARY.fullmatch(name) and name != "temperature":
        after = rf"\b(parameter|argument|field|input|property)s?\b[^.]{{0,40}} {word}\b"
        return re.search(rf"['\"`]{word}['\"`]|\bbody\.{word}\b|{after}", words, re.IGNORECASE) is not None
    return re.search(rf"(?<!\w){word}(?!\w)", words, re.IGNORECASE) is not None
