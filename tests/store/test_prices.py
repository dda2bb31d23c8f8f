"""The catalog of prices, the user's own above it, and what is imported between them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tui_chat.demo.models import MODELS
from tui_chat.domain.events import Usage
from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.pricing import Price, Rates, Tier, Window, cost, find_price
from tui_chat.store.config import Config, load
from tui_chat.store.paths import prices_file
from tui_chat.store.price_import import Imported, import_prices, imported_prices
from tui_chat.store.shipped import shipped_prices

Env = dict[str, str]
D = Decimal
CATALOG = shipped_prices()
BILLED = {name: price for name, price in CATALOG.items() if price.source != "tui-chat"}
WORKDAYS = (1, 2, 3, 4, 5)

# the catalog


def test_the_catalog_is_large_enough() -> None:
    assert len(BILLED) >= 60
    assert len({price.provider for price in BILLED.values()}) >= 10


def every_rate(price: Price) -> list[Rates]:
    return [price, *price.tiers, *price.windows]


@pytest.mark.parametrize("name", BILLED)
def test_an_entry_is_plausible(name: str) -> None:
    price = BILLED[name]
    assert price.checked is not None
    assert date(2025, 1, 1) <= date.fromisoformat(price.checked)
    assert price.source is not None
    assert price.source.startswith("https://")
    assert price.provider
    assert price.context is None or 8_000 <= price.context <= 10_000_000
    for rates in every_rate(price):
        assert 0 < rates.input <= rates.output <= 1000
        assert rates.cached is None or 0 < rates.cached < rates.input
        assert rates.cache_write is None or rates.input <= rates.cache_write <= 2 * rates.input
        assert rates.cache_write_1h is None or rates.cache_write is not None
        assert rates.cache_write_1h is None or rates.cache_write_1h >= (rates.cache_write or 0)
    for tier in price.tiers:
        assert tier.input >= price.input
        assert tier.output >= price.output
        assert price.context is None or tier.above < price.context
    assert all(date.fromisoformat(window.since) for window in price.windows if window.since)


ARTICLE = {
    "gpt-4.1": "8",
    "claude-sonnet-4-5": "15",
    "gemini-2.5-flash": "2.5",
    "deepseek-v3.2": "0.42",
}


@pytest.mark.parametrize("name", ARTICLE)
def test_the_article_s_four_are_dated(name: str) -> None:
    assert CATALOG[name].output == D(ARTICLE[name])
    assert CATALOG[name].checked


def test_deepseek_costs_twice_as_much_at_its_peak() -> None:
    for name in ("deepseek-flash", "deepseek-v4-pro"):
        price = CATALOG[name]
        assert [(w.begins, w.ends, w.weekdays) for w in price.windows] == [(60, 240, WORKDAYS), (360, 600, WORKDAYS)]
        for window in price.windows:
            assert (window.input, window.output, window.cached) == (
                2 * price.input,
                2 * price.output,
                2 * (price.cached or 0),
            )


@pytest.mark.parametrize("endpoint", ["ollama", "llama-cpp", "vllm", "lm-studio"])
def test_what_runs_here_costs_nothing_and_says_so(env: Env, endpoint: str) -> None:
    price = find_price(load(env).prices, endpoint, "any/model:7b")
    spent = cost(Usage(input=1000, output=1000), price, exact=True)
    assert (spent.usd, spent.note) == (0, "runs on this computer: nothing is billed")


def test_a_server_elsewhere_is_not_local_for_its_name(configured: Callable[..., Config]) -> None:
    config = configured('[endpoints.vllm]\nbase_url = "https://gpu.example/v1"')
    assert find_price(config.prices, "vllm", "any-model") is None
    assert find_price(config.prices, "ollama", "any-model") is not None


# the user's own


def test_a_price_with_all_its_parts(configured: Callable[..., Config]) -> None:
    config = configured(
        """
        [prices.m]
        input = 1
        output = 4.5
        cached = 0.1
        cache_write = 1.25
        cache_write_1h = 2
        reasoning = 5
        context = 1000
        tiers = [{ above = 200, input = 2, output = 9 }, { above = 500, input = 3, output = 9, whole = false }]
        """
    )
    assert config.problems == ()
    assert config.prices["m"] == Price(
        D(1),
        D("4.5"),
        D("0.1"),
        D("1.25"),
        D(2),
        D(5),
        source="config.toml",
        context=1000,
        tiers=(Tier(D(2), D(9), above=200), Tier(D(3), D(9), above=500, whole=False)),
    )


def test_a_price_with_times(configured: Callable[..., Config]) -> None:
    config = configured(
        """
        [prices.m]
        input = 1
        output = 4
        windows = [
            { utc = ["01:00-04:00", "22:30-24:00"], days = ["sat", "sun"], input = 2, output = 8 },
            { since = "2027-01-01", input = 0.123456789012345678901, output = 9 },
        ]
        """
    )
    assert config.problems == ()
    assert config.prices["m"].windows == (
        Window(D(2), D(8), begins=60, ends=240, weekdays=(6, 7)),
        Window(D(2), D(8), begins=1350, ends=1440, weekdays=(6, 7)),
        Window(D("0.123456789012345678901"), D(9), since="2027-01-01"),
    )


SPOILT = {
    "tiers = [{ input = 1, output = 1 }]": "prices.m.tiers.1.above is missing",
    "tiers = [{ above = 0, input = 1, output = 1 }]": "prices.m.tiers.1.above must be a whole number, 1 or more",
    "tiers = 5": "prices.m.tiers must be a list of tables",
    "tiers = [5]": "prices.m.tiers must be a list of tables",
    "tiers = [{ above = 5, input = -1, output = 1 }]": "prices.m.tiers.1.input must be an amount from 0",
    'tiers = [{ above = 5, input = "1", output = 1 }]': "prices.m.tiers.1.input must be an amount in USD",
    'windows = [{ utc = ["1-4"], input = 1, output = 1 }]': "prices.m.windows.1.utc must be times of the UTC day",
    'windows = [{ utc = ["24:00-01:00"], input = 1, output = 1 }]': "prices.m.windows.1.utc must be times",
    "windows = [{ utc = [], input = 1, output = 1 }]": "prices.m.windows.1.utc must be a list of times",
    'windows = [{ days = ["Monday"], input = 1, output = 1 }]': "prices.m.windows.1.days must be a list of days",
    'windows = [{ since = "soon", input = 1, output = 1 }]': "prices.m.windows.1.since must be a date",
    "windows = [{ input = 1, output = 1 }]\ntiers = [{ above = 5, input = 1, output = 1 }]": "has tiers and windows",
    "reasoning = -1": "prices.m.reasoning must be an amount",
}


@pytest.mark.parametrize("lines", SPOILT)
def test_a_spoilt_part_spoils_the_price(configured: Callable[..., Config], lines: str) -> None:
    config = configured(f"[prices.m]\ninput = 1\noutput = 1\n{lines}\n[prices.good]\ninput = 1\noutput = 1")
    assert len(config.problems) == 1
    assert SPOILT[lines] in config.problems[0].line
    assert "m" not in config.prices
    assert "good" in config.prices


def test_the_bare_name_means_the_model_wherever_it_is_asked(configured: Callable[..., Config]) -> None:
    prices = configured('[prices."openai/gpt-oss-120b"]\ninput = 7\noutput = 7').prices
    for endpoint in ("groq", "together", "ollama", "elsewhere"):
        found = find_price(prices, endpoint, "openai/gpt-oss-120b")
        assert found is not None
        assert found.input == 7
    assert find_price(prices, "ollama", "llama3") == CATALOG["ollama/*"]


def test_a_price_for_all_that_an_endpoint_serves(configured: Callable[..., Config]) -> None:
    prices = configured('[prices."mine/*"]\ninput = 0\noutput = 0').prices
    found = find_price(prices, "mine", "gpt-4.1")
    assert found is not None
    assert found.input == 0


# imports

LITELLM: dict[str, Any] = {
    "sample_spec": {"litellm_provider": "one of …", "mode": "one of: chat"},
    "plain": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 8e-06,
    },
    "whole/one": {
        "litellm_provider": "whole",
        "mode": "chat",
        "max_input_tokens": 500_000,
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_read_input_token_cost": 3e-07,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_creation_input_token_cost_above_1hr": 6e-06,
        "output_cost_per_reasoning_token": 2e-05,
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "output_cost_per_token_above_200k_tokens": 2.25e-05,
        "input_cost_per_token_above_200k_tokens_batches": 1e-06,
    },
    "stepped": {
        "litellm_provider": "dashscope",
        "tiered_pricing": [
            {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06},
            {"range": [32000.0, 128000.0], "input_cost_per_token": 1.8e-06, "output_cost_per_token": 9e-06},
        ],
    },
    "nightly": {
        "litellm_provider": "deepseek",
        "mode": "chat",
        "input_cost_per_token": 3e-07,
        "output_cost_per_token": 1.2e-06,
        "off_peak_pricing": {
            "input_cost_per_token": 1.5e-07,
            "output_cost_per_token": 6e-07,
            "windows": [
                {"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, 2]},
                {"hours_utc": "00:00-00:00", "weekdays": [6, 7]},
            ],
        },
    },
    "drawing": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 1e-06},
    "halfway": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06},
    "free?": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0.0},
    "by request": {
        "litellm_provider": "x",
        "mode": "chat",
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 1e-06,
        "input_cost_per_request": 0.005,
    },
    "at odd times": {
        "litellm_provider": "x",
        "mode": "chat",
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 1e-06,
        "off_peak_pricing": {"windows": [{"hours_utc": "at night", "weekdays": [9]}]},
    },
    "negative": {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": -1, "output_cost_per_token": "NaN"},
    "no table": "text",
}
OPENROUTER: dict[str, Any] = {
    "data": [
        {
            "id": "openai/gpt-4.1",
            "context_length": 1_047_576,
            "pricing": {
                "prompt": "0.000002",
                "completion": "0.000008",
                "input_cache_read": "0.0000005",
                "request": "0",
                "image": "0.001",
                "internal_reasoning": "0",
            },
        },
        {"id": "some/model:free", "pricing": {"prompt": "0", "completion": "0"}},
        {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "x/search", "pricing": {"prompt": "0.000001", "completion": "0.000001", "request": "0.005"}},
        {"id": "x/odd", "pricing": {"prompt": "0.000001", "completion": "0.000001", "overrides": []}},
        "no table",
    ]
}


@pytest.fixture
def take(env: Env, tmp_path: Path) -> Callable[[Any], Imported]:
    def write_and_import(content: Any) -> Imported:
        file = tmp_path / "list.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        os.utime(file, (1_790_000_000, 1_790_000_000))
        return import_prices(env, file)

    return write_and_import


def test_litellm_s_table(env: Env, take: Callable[[Any], Imported]) -> None:
    done = take(LITELLM)
    assert (done.list_name, done.taken, sum(done.skipped.values())) == ("LiteLLM", 4, 7)
    prices = imported_prices(env)
    read: dict[str, Any] = {"checked": "2026-09-21", "source": "https://github.com/BerriAI/litellm"}
    assert prices == {
        "plain": Price(D(2), D(8), provider="openai", **read),
        "whole/one": Price(
            D(3),
            D(15),
            D("0.3"),
            D("3.75"),
            D(6),
            D(20),
            provider="whole",
            context=500_000,
            tiers=(Tier(D(6), D("22.5"), D("0.3"), D("3.75"), D(6), D(20), above=200_000),),
            **read,
        ),
        "stepped": Price(D(1), D(5), provider="dashscope", tiers=(Tier(D("1.8"), D(9), above=32_000),), **read),
        "nightly": Price(
            D("0.3"),
            D("1.2"),
            provider="deepseek",
            windows=(
                Window(D("0.15"), D("0.6"), begins=0, ends=60, weekdays=(1, 2)),
                Window(D("0.15"), D("0.6"), begins=600, ends=1440, weekdays=(1, 2)),
                Window(D("0.15"), D("0.6"), weekdays=(6, 7)),
            ),
            **read,
        ),
    }


def test_openrouter_s_models(env: Env, take: Callable[[Any], Imported]) -> None:
    done = take(OPENROUTER)
    assert (done.list_name, done.taken, sum(done.skipped.values())) == ("OpenRouter", 2, 4)
    found = find_price(load(env).prices, "openrouter", "openai/gpt-4.1")
    assert found is not None
    assert (found.input, found.output, found.cached, found.context) == (D(2), D(8), D("0.5"), 1_047_576)
    assert (found.source, found.provider) == ("https://openrouter.ai/api/v1/models", "OpenRouter")
    free = find_price(load(env).prices, "openrouter", "some/model:free")
    assert free is not None
    assert free.output == 0


def test_imports_stand_between_the_catalog_and_the_user_s_own(
    configured: Callable[..., Config], take: Callable[[Any], Imported]
) -> None:
    row = {"litellm_provider": "x", "mode": "chat", "input_cost_per_token": 7e-06, "output_cost_per_token": 7e-06}
    take({"gpt-4.1": row, "gpt-5": row})
    prices = configured('[prices."gpt-5"]\ninput = 1\noutput = 1').prices
    assert (prices["gpt-4.1"].input, prices["gpt-5"].input, prices["gpt-4o"].input) == (7, 1, D("2.5"))


def test_each_list_replaces_its_own_prices_alone(env: Env, take: Callable[[Any], Imported]) -> None:
    take(LITELLM)
    take(OPENROUTER)
    take({"plain": LITELLM["plain"]})
    assert set(imported_prices(env)) == {"plain", "openrouter/openai/gpt-4.1", "openrouter/some/model:free"}
    assert stat.S_IMODE(prices_file(env).stat().st_mode) == 0o600


FOREIGN: dict[str, Any] = {
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "deep": b"[" * 100_000,
    "a list": [1],
    "another object": {"a": {"b": 1}},
    "an empty answer": {"data": []},
    "no price that can be used": {"a": {"litellm_provider": "x", "mode": "chat"}},
    "a number of ten thousand digits": b'{"a": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_price_list_changes_nothing(env: Env, take: Callable[[Any], Imported], name: str) -> None:
    take(OPENROUTER)
    before = prices_file(env).read_bytes()
    with pytest.raises(UsageError) as caught:
        take(FOREIGN[name])
    assert "\n" not in str(caught.value)
    assert "list.json" in str(caught.value)
    assert prices_file(env).read_bytes() == before


def test_a_file_that_is_not_there(env: Env, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        import_prices(env, tmp_path / "none.json")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"litellm": {"prices": {}}}',
        b'{"x": {"checked": "", "source": "", "prices": {"m": {"input": 1}}}}',
    ],
)
def test_a_damaged_file_is_told_and_spares_the_rest(env: Env, take: Callable[[Any], Imported], content: bytes) -> None:
    prices_file(env).parent.mkdir()
    prices_file(env).write_bytes(content)
    with pytest.raises(StoreError):
        imported_prices(env)
    config = load(env)
    assert [str(prices_file(env)) in problem.line for problem in config.problems] == [True]
    assert config.prices["gpt-4.1"].input == 2
    take(OPENROUTER)
    assert load(env).problems == ()


def test_a_bad_time_in_our_file_is_damage_too(env: Env) -> None:
    window = {"utc": ["soon"], "days": ["mon"], "input": 1, "output": 1}
    row = {"input": 1, "output": 1, "windows": [window]}
    prices_file(env).parent.mkdir()
    prices_file(env).write_text(json.dumps({"x": {"checked": "", "source": "", "prices": {"m": row}}}))
    with pytest.raises(StoreError):
        imported_prices(env)


def test_the_catalog_says_of_the_demo_what_the_demo_says_of_itself() -> None:
    """Before its list was fetched."""
    for model in MODELS:
        price = shipped_prices()[f"demo/{model.id}"]
        assert (price.context, price.vision is not False) == (model.context_length, model.vision)
