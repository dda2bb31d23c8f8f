"""Keys and what is like them, found in requests and answers and blotted out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.endpoint import Endpoint, Secret
from tui_chat.wire.blot import Blotter, clean_body, clean_headers, clean_url, known_keys
from tui_chat.wire.codec import Request

KEY = "sk-test-3fA9dQ7Lx2"
OTHER = "0123456789abcdef-other"


def endpoint(**changes: object) -> Endpoint:
    return Endpoint("work", "https://gateway.example/v1", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "request_", "found"),
    [
        ({"key": Secret(KEY)}, None, {KEY}),
        ({"headers": {"X-Api-Key": KEY, "X-Team": "a"}}, None, {KEY}),
        ({"headers": {"Authorization": f"Bearer {KEY}"}}, None, {KEY, f"Bearer {KEY}"}),
        ({"proxy": "http://user:pass%20word@proxy:8080"}, None, {"pass%20word", "pass word"}),
        ({"proxy": "http://token@proxy"}, None, {"token"}),
        ({"extra_body": {"litellm": {"api_key": OTHER}}}, None, {OTHER}),
        ({"extra_body": {"list": [{"Token": OTHER}]}}, None, {OTHER}),
        ({}, Request("POST", f"https://h/v1?key={KEY}&alt=sse", {}), {KEY}),
        ({}, Request("POST", "https://h/v1", {"x-goog-api-key": Secret(KEY)}), {KEY}),
        ({}, Request("POST", "https://h/v1", {}, json.dumps({"password": OTHER}).encode()), {OTHER}),
    ],
)
def test_every_key_is_known(settings: dict[str, object], request_: Request | None, found: set[str]) -> None:
    assert known_keys(endpoint(**settings), request_) - {""} == found


@pytest.mark.parametrize("value", ["default", "a phrase that is no key at all", "short-token"])
def test_a_field_called_like_a_key_is_hidden_but_not_hunted_when_it_holds_a_word(value: str) -> None:
    body = json.dumps({"auth": value}).encode()
    assert known_keys(endpoint(), Request("POST", "https://h/v1", {}, body)) - {""} == set()
    assert json.loads(clean_body(body, Blotter(()))) == {"auth": "…"}


def test_a_header_keeps_its_name() -> None:
    blotter = Blotter([KEY])
    given = {"Authorization": Secret(f"Bearer {KEY}"), "Set-Cookie": "a=b", "X-Team": f"a {KEY}", "Accept": "*/*"}
    cleaned = {"Authorization": "…", "Set-Cookie": "…", "X-Team": "a …", "Accept": "*/*"}
    assert clean_headers(given, blotter) == cleaned


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://h:8443/v1/chat?alt=sse", "https://h:8443/v1/chat?alt=sse"),
        (f"https://h/v1?key={KEY}&alt=sse", "https://h/v1?key=…&alt=sse"),
        ("https://h/v1?access_token=short", "https://h/v1?access_token=…"),
        ("https://user:pass@h/v1", "https://h/v1"),
        (f"https://h/{KEY}/v1", "https://h/…/v1"),
    ],
)
def test_a_url_without_credentials(url: str, cleaned: str) -> None:
    assert clean_url(url, Blotter([KEY])) == cleaned


@pytest.mark.parametrize(
    ("body", "cleaned"),
    [
        (b"", ""),
        (b'{"model": "m",  "n": 1}', '{"model": "m",  "n": 1}'),
        (b'{"max_tokens": 5, "key": {"type": "string"}}', '{"max_tokens": 5, "key": {"type": "string"}}'),
        (b'{"a": [{"api_key": "x", "n": 1}]}', '{"a":[{"api_key":"…","n":1}]}'),
        (f"not json {KEY}".encode(), "not json …"),
        (b"\xff" + KEY.encode(), "\ufffd…"),
    ],
)
def test_a_body_without_keys(body: bytes, cleaned: str) -> None:
    assert clean_body(body, Blotter([KEY])) == cleaned


def test_a_short_key_hides_nothing() -> None:
    assert Blotter(["none", "x", ""]).text("none of x") == "none of x"


@pytest.mark.parametrize("key", [KEY, 'a"quoted\\key', "key with ümlaut", "slash/and+plus=="])
def test_a_key_is_found_as_json_writes_it(key: str) -> None:
    blotter = Blotter([key])
    for text in (json.dumps({"k": key}), json.dumps({"k": key}, ensure_ascii=False)):
        assert json.loads(blotter.text(text)) == {"k": "…"}


@pytest.mark.parametrize("text", [f"data: you sent {KEY}\n\ndata: {KEY}{KEY}\n\n", f"{KEY[:-1]}sk-{KEY}s"])
def test_an_echo_is_found_however_it_is_cut(text: str) -> None:
    whole = Blotter([KEY]).text(text)
    assert KEY not in whole
    data = text.encode()
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            blotter = Blotter([KEY])
            out = [blotter.cut(data[:first]), blotter.cut(data[first:second]), blotter.cut(data[second:])]
            assert (b"".join(out) + blotter.rest()).decode() == whole


@given(st.lists(st.binary(max_size=20)))
def test_what_holds_no_key_passes_unchanged(pieces: list[bytes]) -> None:
    blotter = Blotter([KEY])
    assert b"".join(map(blotter.cut, pieces)) + blotter.rest() == b"".join(pieces)


@given(st.lists(st.text(alphabet="sk-te\n", max_size=12)))
def test_no_line_end_waits_for_the_next_piece(pieces: list[str]) -> None:
    blotter = Blotter([KEY])
    given_away = b""
    for i, piece in enumerate(pieces):
        given_away += blotter.cut(piece.encode())
        assert given_away.count(b"\n") == "".join(pieces[: i + 1]).count("\n")
