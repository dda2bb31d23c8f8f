"""The figures beside the text of a chat completion: tokens, money, and the server's own clock.

Sources: OpenAI (usage and its details), DeepSeek (`prompt_cache_hit_tokens`), OpenRouter and LiteLLM (`usage.cost`,
`response_cost`), Perplexity (a cost in parts), Groq (`x_groq`, times in the usage), llama.cpp (`timings`,
`prompt_progress`), vLLM (`metrics`), LM Studio (`stats`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain.events import Progress, Timings, Usage
from tui_chat.wire.counts import amount, measure, seconds, tokens

if TYPE_CHECKING:
    from tui_chat.domain.events import StreamEvent


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _CostParts(msgspec.Struct):
    total_cost: Decimal | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cost: Decimal | _CostParts | None = None
    response_cost: Decimal | None = None
    prompt_time: float | None = None
    completion_time: float | None = None


class _LlamaTimings(msgspec.Struct):
    prompt_ms: float | None = None
    predicted_ms: float | None = None
    predicted_per_second: float | None = None


class _PromptProgress(msgspec.Struct):
    total: int | None = None
    processed: int | None = None


class _VllmMetrics(msgspec.Struct):
    time_to_first_token_ms: float | None = None
    queue_time_ms: float | None = None
    generation_time_ms: float | None = None
    tokens_per_second: float | None = None


class _LMStudioStats(msgspec.Struct):
    time_to_first_token: float | None = None
    generation_time: float | None = None
    tokens_per_second: float | None = None


class _Groq(msgspec.Struct):
    usage: _Usage | None = None
    error: Any = None


class Figures(msgspec.Struct):
    """The figures of one chunk, by the names that servers give them."""

    usage: _Usage | None = None
    response_cost: Decimal | None = None
    x_groq: _Groq | None = None
    timings: _LlamaTimings | None = None
    prompt_progress: _PromptProgress | None = None
    metrics: _VllmMetrics | None = None
    stats: _LMStudioStats | None = None


FIGURES = frozenset(Figures.__struct_fields__)


def figure_events(chunk: Figures) -> list[StreamEvent]:
    found = (_usage(chunk), _timings(chunk), _progress(chunk.prompt_progress))
    return [event for event in found if event is not None]


def _usage(chunk: Figures) -> Usage | None:
    usage = chunk.usage or (chunk.x_groq and chunk.x_groq.usage)
    if usage is None:
        return None
    input_details = usage.prompt_tokens_details or _InputDetails()
    output_details = usage.completion_tokens_details or _OutputDetails()
    cached = input_details.cached_tokens
    counted = Usage(
        input=tokens(usage.prompt_tokens),
        cached=tokens(usage.prompt_cache_hit_tokens if cached is None else cached),
        cache_write=tokens(input_details.cache_write_tokens),
        reasoning=tokens(output_details.reasoning_tokens),
        output=tokens(usage.completion_tokens),
        cost=_cost(usage, chunk),
    )
    return counted if counted != Usage() else None


def _cost(usage: _Usage, chunk: Figures) -> Decimal | None:
    told = usage.cost.total_cost if isinstance(usage.cost, _CostParts) else usage.cost
    return next(
        (cost for c in (told, usage.response_cost, chunk.response_cost) if (cost := amount(c)) is not None), None
    )


def _timings(chunk: Figures) -> Timings | None:
    if (own := chunk.timings) is not None:
        return Timings(seconds(own.prompt_ms), seconds(own.predicted_ms), measure(own.predicted_per_second))
    if (metrics := chunk.metrics) is not None:
        return _vllm_timings(metrics)
    if (stats := chunk.stats) is not None:
        return Timings(
            measure(stats.time_to_first_token), measure(stats.generation_time), measure(stats.tokens_per_second)
        )
    usage = chunk.usage or (chunk.x_groq and chunk.x_groq.usage)
    return _groq_timings(usage) if usage is not None and usage.completion_time is not None else None


def _vllm_timings(metrics: _VllmMetrics) -> Timings:
    first, queued = seconds(metrics.time_to_first_token_ms), seconds(metrics.queue_time_ms) or 0.0
    return Timings(
        prompt_s=None if first is None else max(0.0, first - queued),
        decode_s=seconds(metrics.generation_time_ms),
        tok_per_s=measure(metrics.tokens_per_second),
    )


def _groq_timings(usage: _Usage) -> Timings:
    decode, count = measure(usage.completion_time), tokens(usage.completion_tokens)
    return Timings(measure(usage.prompt_time), decode, count / decode if count is not None and decode else None)


def _progress(prompt: _PromptProgress | None) -> Progress | None:
    return None if prompt is None else Progress("prompt", tokens(prompt.processed), tokens(prompt.total))
