"""Values out of a large JSON file: the same however it is cut, in little memory, and every fault in its place."""

from __future__ import annotations

import io
import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_chat.wire import json_items
from tui_chat.wire.json_items import JsonItems, Malformed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def in_pieces(data: bytes, size: int) -> JsonItems:
    file = io.BytesIO(data)
    return JsonItems(lambda _: file.read(size))


def values(data: bytes, size: int = 1 << 20) -> list[Any]:
    return [item.value for item in in_pieces(data, size)]


def fault(data: bytes, size: int = 1 << 20) -> Malformed:
    with pytest.raises(Malformed) as caught:
        values(data, size)
    return caught.value


@settings(max_examples=150, deadline=None)
@given(st.lists(json_values, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_read_the_same_however_it_is_cut(
    elements: list[Any], size: int, indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(elements, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert values(data, size) == elements


@settings(max_examples=80, deadline=None)
@given(st.lists(json_values, min_size=1, max_size=4), json_values, st.integers(1, 9))
def test_the_array_in_an_object_is_read_with_what_stands_around_it(elements: list[Any], more: Any, size: int) -> None:
    items = in_pieces(json.dumps({"a": more, "conversations": elements, "z": more}).encode(), size)
    assert [item.value for item in items] == elements
    assert items.head == {"a": more, "z": more}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40), st.integers(1, 5))
def test_no_bytes_break_it(data: bytes, size: int) -> None:
    with suppress(Malformed):
        assert isinstance(values(data, size), list)


def test_an_item_knows_where_it_stands_and_how_it_is_written() -> None:
    items = list(in_pieces(b'\xef\xbb\xbf[1.50,\n\n  {"a": 1}]', 3))
    assert [(item.line, item.column, item.text) for item in items] == [(1, 2, "1.50"), (3, 3, '{"a": 1}')]


def test_an_object_without_the_array_is_the_one_value() -> None:
    assert values(b' {"a": [1], "conversations": 2} ') == [{"a": [1], "conversations": 2}]
    assert values(b"{}") == [{}]


def test_what_no_number_can_hold_is_none_or_infinite() -> None:
    big = b"9" * 5000
    assert values(b"[NaN, -Infinity, 1e999, " + big + b"]") == [None, None, float("inf"), float("inf")]


def test_lone_surrogates_and_repeated_keys_are_read() -> None:
    assert values(rb'[{"a": 1, "a": "\ud800x"}]') == [{"a": "\ud800x"}]


def test_a_torn_text_is_told_without_a_place_of_its_own() -> None:
    assert fault(b'["abc').fault == "Unterminated string"


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"", 1, 1),
        (b" \n ", 2, 2),
        (b"hello", 1, 1),
        (b"[1", 1, 3),
        (b"[1,\n 2 3]", 2, 4),
        (b'[{"a": 1},\n{"a" 2}]', 2, 6),
        (b"[1]\n[2]", 2, 1),
        (b'{"a": 1', 1, 8),
        (b"{1: 2}", 1, 2),
        (b'["a\xff"]', 1, 4),
        (b'["abc', 1, 2),
        (b"[1,]", 1, 4),
    ],
)
def test_a_fault_is_named_by_its_place(data: bytes, line: int, column: int, size: int) -> None:
    found = fault(data, size)
    assert (found.line, found.column) == (line, column)


def test_deep_nesting_is_a_fault() -> None:
    assert "nested too deep" in fault(b"[" * 1_000_000).fault


def test_an_early_fault_is_found_without_reading_on() -> None:
    file = io.BytesIO(b'[{"a": x}, "' + b" " * (20 << 20) + b'"]')
    with pytest.raises(Malformed):
        list(JsonItems(file.read))
    assert file.tell() < 2 << 20


def test_one_value_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_items, "LONGEST", 1 << 20)
    file = io.BytesIO(b'["' + b"x" * (30 << 20))
    with pytest.raises(Malformed, match="longer than 1 million"):
        list(JsonItems(file.read))
    assert file.tell() < 8 << 20


def test_memory_does_not_grow_with_the_file() -> None:
    one = json.dumps({"text": "word " * 2000}).encode()
    pieces = iter([b"[", *[one + b","] * 2999, one, b"]"])
    items = JsonItems(lambda _: next(pieces, b""))
    tracemalloc.start()
    found = sum(1 for _ in items)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 3000
    assert peak < 1 << 20
