"""Settings as they are typed: what is right comes back as it was, what is wrong is told in a line."""

from __future__ import annotations

from typing import Any

import pytest

from tui_chat.domain.ask import Settings
from tui_chat.store.written import FIELDS, read, show

RIGHT: list[tuple[str, str, Any]] = [
    ("system", "Be brief.\nAnd kind. ", "Be brief.\nAnd kind. "),
    ("temperature", " 0.7 ", 0.7),
    ("temperature", "1", 1.0),
    ("temperature", "0.1234567891", 0.1234567891),
    ("top_p", "0.95", 0.95),
    ("max_tokens", "4_096", 4096),
    ("seed", "-7", -7),
    ("stop", "END", ("END",)),
    ("stop", '["a", "\\n\\n"]', ("a", "\n\n")),
    ("stop", '"[x]"', ("[x]",)),
    ("reasoning_effort", " high ", "high"),
    ("extra_body", '{"a": {"b": [1, true]}}', {"a": {"b": [1, True]}}),
    ("extra_body", '{ a = 1, b = "x" }', {"a": 1, "b": "x"}),
    ("extra_body", 'a = 1\n[b]\nc = "x"', {"a": 1, "b": {"c": "x"}}),
    *((name, "  ", {"stop": (), "extra_body": {}}.get(name)) for name in FIELDS),
]


@pytest.mark.parametrize(("name", "text", "value"), RIGHT)
def test_what_is_right_is_taken_and_shown_so_that_it_is_taken_again(name: str, text: str, value: Any) -> None:
    assert read(name, text) == (value, None)
    shown = show(Settings(**{name: value}), name)
    assert read(name, shown) == (value, None)


WRONG = [
    ("temperature", "warm", "must be a number, 0 or more"),
    ("temperature", "-1", "must be a number, 0 or more, not -1"),
    ("temperature", "nan", "0 or more, not nan"),
    ("top_p", "1.5", "from 0 to 1"),
    ("top_p", "nan", "from 0 to 1, not nan"),
    ("max_tokens", "0", "must be a whole number, 1 or more, not 0"),
    ("max_tokens", "12.5", "not 12.5"),
    ("seed", "1e3000", "whole number"),
    ("seed", "99999999999999999999", "whole number"),
    ("stop", '["a"', "must be a text, or a list"),
    ("stop", "[1]", "text in quotes, or a list of such texts"),
    ("extra_body", '{"a": }', "is no JSON: Expecting value: line 1"),
    ("extra_body", "a b", "neither JSON nor TOML"),
    ("extra_body", "{ a 1 }", "neither JSON nor TOML"),
    ("extra_body", "a = 1979-05-27", "a holds a value that JSON cannot carry"),
    ("extra_body", '{"a": [null]}', "null"),
    ("extra_body", "{" * 5000, "neither JSON nor TOML"),
    ("extra_body", "a = " + "[" * 5000, "neither JSON nor TOML"),
]


@pytest.mark.parametrize(("name", "text", "said"), WRONG)
def test_what_is_wrong_is_one_line(name: str, text: str, said: str) -> None:
    value, fault = read(name, text)
    assert value is None
    assert fault is not None
    assert said in fault
    assert "\n" not in fault
