"""The shapes of config.toml and of the shipped catalog, as tables.py reads them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from tui_chat.domain.endpoint import Secret
from tui_chat.domain.words import say
from tui_chat.store.tables import KINDS, Fault, Wanted

MAX_USD = Decimal(1_000_000)
"""Above this a price is a slip of the pen, and Decimal arithmetic could overflow."""

MAX_INT = 2**63 - 1

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
"""`HH:MM-HH:MM` of the UTC day."""

_NOT_IN_URLS = re.compile(r'[\s\x00-\x20\x7f<>"{}|\\^`]')
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASTED_KEY = re.compile(r"(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9_]{20,}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


def _web_address(url: str, schemes: tuple[str, ...]) -> Fault:
    """What is wrong with a URL of a server; the URL itself may hold a password and is never shown."""
    listed = ", ".join(f"{scheme}://" for scheme in schemes)
    if _NOT_IN_URLS.search(url):
        return say("config.url_characters")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return say("config.url_malformed")
    if parts.scheme not in schemes or not url.lower().startswith(f"{parts.scheme}://"):
        return say("config.url_scheme", schemes=listed)
    return None if parts.hostname else say("config.url_host")


def base_url_fault(url: str) -> Fault:
    if fault := _web_address(url, ("https", "http")):
        return fault
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return say("config.url_credentials")
    if "?" in url or "#" in url:
        return say("config.url_query")
    if "//" in parts.path:
        return say("config.url_malformed")
    if parts.path.rstrip("/").endswith(("/chat/completions", "/models")):
        return say("config.url_path")
    return None


def _proxy_fault(url: str) -> Fault:
    return _web_address(url, ("http", "https", "socks5", "socks5h"))


def _variable_fault(name: str) -> Fault:
    if _PASTED_KEY.fullmatch(name) or not _VARIABLE.fullmatch(name):
        return say("config.variable")
    return None


def header_name_fault(name: str) -> Fault:
    return None if _HEADER_NAME.fullmatch(name) else say("config.header_name")


def _header_value_fault(value: str) -> Fault:
    return None if _HEADER_VALUE.fullmatch(value) else say("config.header_value")


def _finite(value: float) -> Fault:
    return None if math.isfinite(value) else say("config.finite")


def _usd_fault(value: Decimal) -> Fault:
    return None if value.is_finite() and 0 <= value <= MAX_USD else say("config.usd", limit=MAX_USD)


def _rate_fault(value: Decimal) -> Fault:
    return None if value.is_finite() and 0 < value <= MAX_USD else say("config.rate")


def _spans_fault(spans: list[str]) -> Fault:
    return None if all(SPAN.fullmatch(span) for span in spans) else say("config.spans")


def _json_fault(value: object) -> Fault:
    """JSON has no dates and no infinite numbers, and few readers take integers beyond 64 bits."""
    if isinstance(value, dict):
        children = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        children = cast("list[object]", value)
    else:
        return None if _json_scalar(value) else say("config.json")
    return next((fault for child in children if (fault := _json_fault(child))), None)


def _json_scalar(value: object) -> bool:
    if isinstance(value, int):
        return -MAX_INT <= value <= MAX_INT
    return math.isfinite(value) if isinstance(value, float) else type(value) in KINDS


Name = Annotated[str, Meta(min_length=1), Wanted("config.want.name")]
Seconds = Annotated[float, Meta(ge=0), Wanted("config.want.seconds", _finite)]
Share = Annotated[float, Meta(ge=0, le=1), Wanted("config.want.share")]
Heat = Annotated[float, Meta(ge=0), Wanted("config.want.not_negative", _finite)]
Whole = Annotated[int, Meta(ge=-MAX_INT, le=MAX_INT), Wanted("config.kind.int")]
Tokens = Annotated[int, Meta(ge=1, le=MAX_INT), Wanted("config.want.tokens")]
Tries = Annotated[int, Meta(ge=1, le=20), Wanted("config.want.tries")]
Fps = Annotated[int, Meta(ge=1, le=60), Wanted("config.want.fps")]
Usd = Annotated[Decimal, Wanted("config.want.usd", _usd_fault)]
Rate = Annotated[Decimal, Wanted("config.want.rate", _rate_fault)]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$"), Wanted("config.want.currency")]
BaseUrl = Annotated[str, Wanted("config.want.url", base_url_fault)]
ProxyUrl = Annotated[str, Wanted("config.want.url", _proxy_fault)]
Variable = Annotated[str, Wanted("config.want.variable", _variable_fault)]
Key = Annotated[Secret, Wanted("config.kind.text")]
Command = Annotated[list[str], Meta(min_length=1), Wanted("config.want.command")]
HeaderValue = Annotated[str, Wanted("config.kind.text", _header_value_fault)]
Rows = Annotated[list[dict[str, Any]], Wanted("config.want.tables")]
Spans = Annotated[list[str], Meta(min_length=1), Wanted("config.want.spans", _spans_fault)]
Days = Annotated[
    list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Meta(min_length=1), Wanted("config.want.days")
]
IsoDate = Annotated[str, Meta(pattern=r"^20\d\d-\d\d-\d\d$"), Wanted("config.want.iso_date")]
Json = Annotated[Any, Wanted("config.kind.table", _json_fault)]
Stop = Annotated[str | list[str], Wanted("config.want.stop")]
Dialect = Literal["openai-chat", "anthropic", "gemini", "openai-responses"]


class TimeoutTable(Struct, frozen=True):
    connect: Seconds = 10.0
    first_token: Seconds | None = None
    """None: 600 on loopback, else 120."""
    idle: Seconds = 60.0
    total: Seconds = 0.0


class RetryTable(Struct, frozen=True):
    attempts: Tries = 4
    base: Seconds = 0.5
    cap: Seconds = 30.0


class EndpointTable(Struct, frozen=True):
    """`[endpoints.NAME]`."""

    base_url: BaseUrl
    dialect: Dialect = "openai-chat"
    api_key_env: Variable | None = None
    api_key_command: Command | None = None
    api_key: Key | None = None
    headers: dict[str, HeaderValue] = field(default_factory=dict[str, str])
    extra_body: dict[str, Json] = field(default_factory=dict[str, Any])
    proxy: ProxyUrl | None = None
    ca_file: Name | None = None
    insecure_http: bool = False
    timeouts: TimeoutTable = field(default_factory=TimeoutTable)
    retry: RetryTable = field(default_factory=RetryTable)
    default_model: Name | None = None
    label: Name | None = None


class ShippedEndpoint(Struct, frozen=True):
    """What the catalog says of an endpoint beside the keys of `[endpoints.NAME]`."""

    label: str
    checked: str
    source: str
    base_url_env: str | None = None
    key_url_hint: str = ""
    key_prefixes: tuple[str, ...] = ()
    """What only keys of this provider begin with."""


class ProfileTable(Struct, frozen=True):
    """`[profiles.NAME]`."""

    endpoint: Name | None = None
    model: Name | None = None
    system: str | None = None
    temperature: Heat | None = None
    top_p: Share | None = None
    max_tokens: Tokens | None = None
    seed: Whole | None = None
    stop: Stop | None = None
    reasoning_effort: Name | None = None
    extra_body: dict[str, Json] = field(default_factory=dict[str, Any])


class LaneTable(ProfileTable, frozen=True):
    """One of the `lanes` of `[compare.NAME]`."""

    profile: Name | None = None
    label: Name | None = None


class RatesTable(Struct, frozen=True, omit_defaults=True):
    """USD per million tokens."""

    input: Usd
    output: Usd
    cached: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None
    reasoning: Usd | None = None


class TierTable(RatesTable, frozen=True, kw_only=True):
    """The rates of an input longer than `above` tokens."""

    above: Tokens
    whole: bool = True


class WindowTable(RatesTable, frozen=True, kw_only=True):
    """The rates at certain times."""

    utc: Spans = field(default_factory=lambda: ["00:00-24:00"])
    days: Days = field(default_factory=lambda: list(WEEKDAYS))
    since: IsoDate = ""


class PriceTable(RatesTable, frozen=True, kw_only=True):
    """`[prices.NAME]`; each of `tiers` is a TierTable, each of `windows` a WindowTable."""

    tiers: Rows = field(default_factory=list[dict[str, Any]])
    windows: Rows = field(default_factory=list[dict[str, Any]])
    context: Tokens | None = None
    vision: bool | None = None


class ShippedPrice(RatesTable, frozen=True, kw_only=True):
    """One `[[prices]]` of the catalog: the same price for each of `models`."""

    provider: str
    models: list[str]
    checked: str
    source: str
    tiers: tuple[TierTable, ...] = ()
    windows: tuple[WindowTable, ...] = ()
    context: int | None = None
    vision: bool | None = None
    note: str = ""


class ImportedPrice(RatesTable, frozen=True, kw_only=True, omit_defaults=True):
    provider: str | None = None
    tiers: tuple[TierTable, ...] = ()
    windows: tuple[WindowTable, ...] = ()
    context: int | None = None


class ImportedPrices(Struct, frozen=True):
    """What one import has left in prices.json of the data folder."""

    checked: str
    source: str
    prices: dict[str, ImportedPrice]


class Ui(Struct, frozen=True):
    """`[ui]`."""

    theme: Name | None = None
    """It counts until one is chosen on the screen; None: light or dark as the terminal is."""
    fps: Fps = 20
    """Frames a second at most."""
    follow: Literal["smooth", "page"] = "smooth"
    slow_line: Literal["auto", "on", "off"] = "auto"
    mouse: bool = True
    notify: bool | Literal["bell", "osc9", "osc777"] = True
    """Tell the terminal when a long reply has ended while the user looked elsewhere; True: as it takes it best."""
    language: Literal["auto", "en", "vi"] = "auto"
    """auto: as the locale says."""
    titles: Literal["words", "model"] = "words"
    """The title of a conversation: its first words, or one that the model gives after the first reply."""
    notify_after: Seconds = 10.0
    """Seconds that make a reply a long one, of whose end the terminal is told."""


class Budget(Struct, frozen=True):
    """`[budget]`: USD; None is no limit, 0 allows nothing that costs."""

    per_reply: Usd | None = None
    per_conversation: Usd | None = None
    per_day: Usd | None = None


class Currency(Struct, frozen=True):
    """`[currency]`: how amounts are shown."""

    code: CurrencyCode = "USD"
    per_usd: Rate = Decimal(1)
    """Units of the currency for one USD."""


class CompareSet(Struct, frozen=True):
    """`[compare.NAME]`."""

    lanes: Annotated[list[dict[str, Any]], Meta(min_length=1), Wanted("config.want.tables")]


class Default(Struct, frozen=True):
    """The choices at the top of the file."""

    endpoint: Name | None = None
    model: Name | None = None
    profile: Name | None = None
