"""The bill of one request, from the provider's bytes to the amount, worked out by hand from its published prices."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.kit.cuts import decode
from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import Cost, CostSource, cost, find_price
from tui_chat.store.shipped import shipped_prices
from tui_chat.wire.dialects import DIALECTS

D = Decimal
SATURDAY = 1_795_228_200
"""2026-11-21 02:30 UTC."""
MONDAY = SATURDAY + 2 * 86_400


def chat(usage: dict[str, Any]) -> bytes:
    return f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode()


def messages(usage: dict[str, Any]) -> bytes:
    start = {"type": "message_start", "message": {"content": [], "usage": usage}}
    return f"event: message_start\ndata: {json.dumps(start)}\n\n".encode() + (
        f"event: message_delta\ndata: {json.dumps({'type': 'message_delta', 'delta': {}, 'usage': usage})}\n\n".encode()
    )


def gemini(usage: dict[str, Any]) -> bytes:
    return f"data: {json.dumps({'candidates': [], 'usageMetadata': usage})}\n\n".encode()


def responses(usage: dict[str, Any]) -> bytes:
    done = {"type": "response.completed", "response": {"status": "completed", "output": [], "usage": usage}}
    return f"event: response.completed\ndata: {json.dumps(done)}\n\n".encode()


WIRE = {"openai-chat": chat, "anthropic": messages, "gemini": gemini, "openai-responses": responses}

BILLS: dict[str, tuple[str, str, dict[str, Any], float, str]] = {
    # 400 fresh at 2, 600 cached at 0.5, 100 out at 8
    "OpenAI counts what is cached in the input": (
        "openai-chat",
        "gpt-4.1",
        {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}},
        MONDAY,
        "0.0019",
    ),
    # 1000 in at 1.25, 900 out at 10, of which 800 are reasoning
    "OpenAI counts reasoning in the output": (
        "openai-responses",
        "gpt-5-2025-08-07",
        {"input_tokens": 1000, "output_tokens": 900, "output_tokens_details": {"reasoning_tokens": 800}},
        MONDAY,
        "0.01025",
    ),
    # 300,000 in at 5, 1000 out at 22.5: beyond 272,000 the whole request costs more
    "OpenAI prices the whole of a long request": (
        "openai-chat",
        "gpt-5.4",
        {"prompt_tokens": 300_000, "completion_tokens": 1000},
        MONDAY,
        "1.5225",
    ),
    "OpenAI at the threshold": (
        "openai-chat",
        "gpt-5.4",
        {"prompt_tokens": 272_000, "completion_tokens": 1000},
        MONDAY,
        "0.695",
    ),
    # 10 fresh at 3, 3000 read at 0.3, 200 written at 3.75, 7 out at 15
    "Anthropic counts what is cached beside the input": (
        "anthropic",
        "claude-sonnet-4-5-20250929",
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 3000,
            "cache_creation_input_tokens": 200,
            "output_tokens": 7,
        },
        MONDAY,
        "0.001785",
    ),
    # 10 fresh at 3, 50 written at 3.75 and 150 at 6, 7 out at 15
    "Anthropic's cache of an hour": (
        "anthropic",
        "claude-sonnet-4-5",
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 200,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150},
            "output_tokens": 7,
        },
        MONDAY,
        "0.0012225",
    ),
    # 20,000 fresh at 0.5, 90,000 read at 0.05, 100 out at 2.5: cached tokens count for the length as well
    "Anthropic's long request counts what is cached": (
        "anthropic",
        "claude-haiku-5-5",
        {"input_tokens": 20_000, "cache_read_input_tokens": 90_000, "output_tokens": 100},
        MONDAY,
        "0.01475",
    ),
    # 750 fresh at 0.3, 250 cached at 0.03, 60 out and 400 thoughts at 2.5
    "Gemini counts thoughts beside the answer": (
        "gemini",
        "gemini-2.5-flash",
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 250,
            "candidatesTokenCount": 60,
            "thoughtsTokenCount": 400,
        },
        MONDAY,
        "0.0013825",
    ),
    "Gemini's longer request": (
        "gemini",
        "gemini-2.5-pro",
        {"promptTokenCount": 200_001, "candidatesTokenCount": 10},
        MONDAY,
        "0.5001525",
    ),
    # hit 64 at 0.006, miss 36 at 0.30, 5 out at 1.20
    "DeepSeek at its peak": (
        "openai-chat",
        "deepseek-flash",
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        MONDAY,
        "0.000017184",
    ),
    "DeepSeek on a Saturday at the same hour": (
        "openai-chat",
        "deepseek-flash",
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        SATURDAY,
        "0.000008592",
    ),
    "xAI's threshold is a long request itself": (
        "openai-chat",
        "grok-4.7",
        {"prompt_tokens": 200_000, "completion_tokens": 10},
        MONDAY,
        "0.80012",
    ),
}


@pytest.mark.parametrize("name", BILLS)
def test_the_bill_of_a_request(name: str) -> None:
    dialect, model, told, at, usd = BILLS[name]
    codec = DIALECTS[dialect]
    events = decode(codec, Endpoint("any", "https://any.example/v1", dialect=dialect), [WIRE[dialect](told)])
    usage = [event for event in events if isinstance(event, Usage)][-1]
    price = find_price(shipped_prices(), "any", model)
    assert price is not None
    assert cost(usage, price, exact=True, at=at) == Cost(D(usd), CostSource.COMPUTED, price.checked, price.note)


def test_what_the_provider_reports_is_believed() -> None:
    events = decode(
        DIALECTS["openai-chat"],
        Endpoint("any", "https://any.example/v1"),
        [chat({"prompt_tokens": 1000, "completion_tokens": 100, "cost": 0.00123})],
    )
    usage = [event for event in events if isinstance(event, Usage)][-1]
    assert cost(usage, shipped_prices()["gpt-4.1"], exact=True) == Cost(D("0.00123"), CostSource.REPORTED)
