"""Endpoints, secrets, and keys that may not be sent."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest
from msgspec.structs import asdict, replace

from tui_chat.domain.endpoint import Endpoint, Secret, is_loopback, is_placeholder, key_trouble
from tui_chat.domain.failure import Kind

KEY = "sk-live-4f9b2c"
SECRET = Secret(KEY)
ENDPOINT = Endpoint(
    "work",
    "https://gateway.example/v1",
    key=SECRET,
    key_source="WORK_KEY",
    needs_key=True,
    headers={"X-Team": "a"},
    extra_body={},
)

LOOPBACK = {
    "localhost": True,
    "LOCALHOST": True,
    "localhost.": True,
    "api.localhost": True,
    "127.0.0.1": True,
    "127.255.255.254": True,
    "::1": True,
    "[::1]": True,
    "0:0:0:0:0:0:0:1": True,
    "::ffff:127.0.0.1": True,
    "0.0.0.0": True,
    "::": True,
    "": False,
    "localhost.example": False,
    "mylocalhost": False,
    "127.0.0.1.example": False,
    "127.1": False,
    "128.0.0.1": False,
    "10.0.0.1": False,
    "192.168.1.10": False,
    "169.254.169.254": False,
    "::ffff:10.0.0.1": False,
    "::2": False,
    "fe80::1": False,
    "api.openai.com": False,
}


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback(host: str) -> None:
    assert is_loopback(host) is LOOPBACK[host]


PLACEHOLDERS = [
    "YOUR_HOLYSHEEP_API_KEY",
    "YOUR_API_KEY",
    "your-api-key",
    "your api key",
    "yourkey",
    "your_api_key_here",
    "sk-your-key-here",
    "YOUR-SECRET",
    "YOUR_TOKEN",
    "sk-...",
    "sk-..",
    "sk-…",
    "sk-proj-...",
    "sk-or-v1-...",
    "gsk_...",
    "sk-...a1B2",
    "sk-xxxx",
    "sk-XXXXXXXXXXXX",
    "sk-proj-xxxxxxxx",
    "gsk_xxxx",
    "sk-****",
    "********",
    "xxxxxxxxxxxx",
    "...",
    "…",
    "<api key>",
    "<YOUR_KEY>",
    "{{api_key}}",
    "$OPENAI_API_KEY",
    "${OPENAI_API_KEY}",
    "%OPENAI_API_KEY%",
    "OPENAI_API_KEY",
    "changeme",
    "CHANGE_ME",
    "replace-me",
    "REPLACE_WITH_YOUR_KEY",
    "insert-your-key-here",
    "paste_key_here",
    "enter your api key",
    "placeholder",
    "TODO",
    "  sk-...  ",
]
REAL = [
    "x",
    "xx",
    "xxx",
    "none",
    "null",
    "EMPTY",
    "dummy",
    "test",
    "ollama",
    "lm-studio",
    "not-needed",
    "sk-no-key-required",
    "sk-1234",
    "key",
    "api-key",
    "sk-proj-Ab3dEf6hIj9lMn-2pQ_rStUvWxYz0123456789",
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "sk-ant-api03-Ab3dEf6hIj9lMn",
    "gsk_Ab3dEf6hIj9lMn2pQrStUvWx",
    "AIzaSyAb3dEf6hIj9lMn2pQrStUvWx",
    "sk-xAbxxx3dEf6hIj9lMn",
    "hf_yourselfAb3dEf6h",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.s5f8_x-4",
    "0123456789abcdef",
    "todoist-9f8e7d",
    "",
]


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_placeholders_are_seen(key: str) -> None:
    assert is_placeholder(key)


@pytest.mark.parametrize("key", REAL)
def test_keys_pass(key: str) -> None:
    assert not is_placeholder(key)


def shown_in_a_traceback() -> str:
    key = SECRET
    try:
        raise ValueError(key)
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


SHOWN = {
    "repr": repr(SECRET),
    "str": str(SECRET),
    "f-string": f"{SECRET} {SECRET!s} {SECRET!r} {SECRET!a}",
    "percent": "%s %r" % (SECRET, SECRET),  # noqa: UP031
    "format": "{} {!r}".format(SECRET, SECRET),  # noqa: UP032
    "in a list": str([SECRET, {"key": SECRET}]),
    "in an endpoint": repr(ENDPOINT),
    "as a dictionary": repr(asdict(ENDPOINT)),
    "copied": repr([copy.copy(SECRET), copy.deepcopy(ENDPOINT)]),
    "traceback": shown_in_a_traceback(),
    "dir": " ".join(dir(SECRET)),
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_is_never_shown(way: str) -> None:
    assert KEY not in SHOWN[way]
    assert "live" not in SHOWN[way]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(ENDPOINT, protocol)


def test_a_secret_is_revealed_compared_and_hashed() -> None:
    assert SECRET.reveal() == KEY
    assert Secret(KEY) == SECRET != Secret("other")
    assert SECRET != KEY
    assert hash(Secret(KEY)) == hash(SECRET)
    assert bool(SECRET)
    assert not Secret("")


def test_origin_and_host() -> None:
    endpoint = Endpoint("a", "HTTP://Example.COM:8080/v1")
    assert (endpoint.host, endpoint.local) == ("example.com", False)
    assert Endpoint("a", "https://gateway.example/v1").origin == "https://gateway.example"
    assert Endpoint("a", "http://[::1]:8080/v1").local
    assert Endpoint("a", "nonsense").host == ""


TROUBLE: dict[str, tuple[Endpoint, str | None]] = {
    "all is well": (ENDPOINT, None),
    "no key and none needed": (Endpoint("ollama", "http://localhost:11434/v1"), None),
    "no key but one needed": (replace(ENDPOINT, key=None), "looked for WORK_KEY"),
    "an empty key": (replace(ENDPOINT, key=Secret("")), "looked for WORK_KEY"),
    "a placeholder": (replace(ENDPOINT, key=Secret("sk-...")), "“sk-...”"),
    "plain http": (replace(ENDPOINT, base_url="http://gateway.example/v1"), "unencrypted to gateway.example"),
    "plain HTTP in capitals": (replace(ENDPOINT, base_url="HTTP://gateway.example/v1"), "unencrypted"),
    "plain http, agreed to": (replace(ENDPOINT, base_url="http://gateway.example/v1", insecure_http=True), None),
    "plain http on loopback": (replace(ENDPOINT, base_url="http://127.0.0.1:8080/v1", key=Secret("x")), None),
    "plain http without a key": (Endpoint("lab", "http://lab.example/v1"), None),
}


def test_a_missing_key_is_to_be_set_and_not_checked() -> None:
    trouble = key_trouble(replace(ENDPOINT, key=None))
    assert trouble is not None
    assert trouble.line.startswith("No key for work: looked for WORK_KEY. Set it, or choose another endpoint")


@pytest.mark.parametrize("name", TROUBLE)
def test_key_trouble(name: str) -> None:
    endpoint, words = TROUBLE[name]
    trouble = key_trouble(endpoint)
    if words is None:
        assert trouble is None
    else:
        assert trouble is not None
        assert (trouble.kind, trouble.retryable) == (Kind.AUTH, False)
        assert words in trouble.message
        assert trouble.hint
        assert KEY not in trouble.message + trouble.hint
