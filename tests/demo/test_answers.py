import random
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.demo import tour
from tui_chat.demo.answers import answer, models_table, reasoning
from tui_chat.demo.models import MODELS
from tui_chat.demo.tokens import pieces


def topic_of(message: str) -> str:
    return answer(message, random.Random(1)).topic


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        ("hi", "welcome"),
        ("Hello!", "welcome"),
        ("What is the capital of France?", "welcome"),
        ("", "welcome"),
        ("keys", "keys"),
        ("help", "keys"),
        ("How do I cancel a reply?", "cancel"),
        ("what does Esc do", "cancel"),
        ("retry", "retry"),
        ("F5?", "retry"),
        ("queue", "queue"),
        ("models", "models"),
        ("what does demo-stall show?", "models"),
        ("setup", "setup"),
        ("Where do I put my API keys?", "setup"),
        ("cost", "numbers"),
        ("what is TTFT", "numbers"),
        ("tok/s", "numbers"),
        ("pipe", "pipe"),
        ("json", "pipe"),
        ("markdown", "markdown"),
        ("theme", "theme"),
        ("ssh", "ssh"),
        ("haiku", "haiku"),
        ("write me a poem about speed", "haiku"),
        ("Please summarise this", "summary"),
        ("word " * 200, "summary"),
        ("echo help", "echo"),
        ("count 5", "count"),
        ("long 5", "long"),
    ],
)
def test_the_topic_follows_the_words(message: str, topic: str) -> None:
    assert topic_of(message) == topic


def test_the_welcome_says_what_this_is_and_shows_markdown() -> None:
    for message in ("hello", "why is the sky blue?"):
        text = answer(message, random.Random(1)).text
        for needed in ("built-in demo", "not a language model", "leaves this computer", "nothing is billed"):
            assert needed in text
        for element in (r"^# ", r"^## ", r"^- ", r"^\|---", r"^```text"):
            assert re.search(element, text, re.MULTILINE)


def test_each_topic_the_welcome_names_exists() -> None:
    table = re.findall(r"^\| `(\w+)` \|", tour.WELCOME.body, re.MULTILINE)
    assert len(table) == 9
    for word in [*table, "theme", "ssh"]:
        assert topic_of(word) not in ("welcome", "haiku")


def test_every_code_fence_is_closed_and_no_placeholder_is_left() -> None:
    for topic in tour.TOPICS:
        text = answer(topic.name, random.Random(1)).text
        assert text.count("```") % 2 == 0
        assert "{models}" not in text


def test_the_models_topic_lists_all_models() -> None:
    assert models_table() in answer("models", random.Random(1)).text
    assert all(f"`{model.id}`" in models_table() for model in MODELS)


def test_a_summary_counts_the_words_and_quotes_the_first_sentence() -> None:
    text = answer("Summarise:\n\nThe cat sat. It slept.", random.Random(1)).text
    assert "**6 words received**" in text
    assert "> The cat sat.\n" in text


def test_a_placeholder_in_the_message_is_not_filled() -> None:
    assert "> {words} stay" in answer("Summarise\n\n{words} stay", random.Random(1)).text
    assert "{topic} stays" in reasoning("{topic} stays", "keys", random.Random(1))


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    cut = list(pieces(text))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= 17 for piece in cut)


def test_pieces_look_like_tokens() -> None:
    assert list(pieces("Hello, documentation 日本 12345!\n\n  x")) == [
        *("Hello", ",", " docu", "ment", "ation", " ", "日", "本", " 12345", "!", "\n\n", " ", " x"),
    ]


def test_the_wording_does_not_depend_on_hash_randomisation() -> None:
    code = (
        "import random; from tui_chat.demo.answers import answer, stable_hash;"
        "print(answer('hello', random.Random(stable_hash(1, 'hello'))).text)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def test_the_demo_imports_no_screen_and_no_client() -> None:
    code = "import sys, tui_chat.demo.server; print([m for m in ('textual', 'rich', 'httpx') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert found.strip() == "[]"
