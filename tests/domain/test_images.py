"""Images as they stand in the text of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.pictures import JPEG, KINDS, PNG, picture
from tui_chat.domain.ask import in_words
from tui_chat.domain.images import Image, image_of, images_in, measured, parts
from tui_chat.domain.titles import first_words

SHOT = picture()
BLOCK = SHOT.block


@pytest.mark.parametrize("name", KINDS)
def test_kind_and_size_stand_in_the_head(name: str) -> None:
    assert measured(KINDS[name]) == (name.partition(",")[0], 5, 3)


@pytest.mark.parametrize("name", KINDS)
def test_a_head_that_is_cut_is_no_image_and_no_fault(name: str) -> None:
    for end in range(len(KINDS[name])):
        kind, width, height = measured(KINDS[name][:end])
        assert (width, height) in ((5, 3), (0, 0), (0, 3), (5, 0), (1, 1), (5, 1), (1, 3)), (end, kind)


@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)), st.integers(0, 60))
def test_no_bytes_are_a_fault(noise: bytes, name: str, kept: int) -> None:
    image_of("x", KINDS[name][:kept] + noise)


def test_what_stands_before_the_frame_of_a_jpeg_is_passed_over() -> None:
    exif = b"\xff\xe1" + (60_002).to_bytes(2) + b"\xff\xc0" * 30_000
    assert measured(JPEG[:2] + exif + JPEG[2:]) == ("jpeg", 5, 3)


@pytest.mark.parametrize("data", [b"", b"text", b"GIF89a\0\0\0\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xc0"])
def test_what_has_no_size_is_no_image(data: bytes) -> None:
    assert image_of("x", data) is None


def test_a_message_is_texts_and_images_in_their_order() -> None:
    other = picture("b.jpg", JPEG)
    text = f"a {BLOCK} b\n{other.block}{BLOCK}"
    assert [part if isinstance(part, str) else part.digest for part in parts(text)] == [
        "a ", SHOT.digest, " b\n", other.digest, SHOT.digest,
    ]  # fmt: skip
    assert images_in(BLOCK) == [SHOT]


@pytest.mark.parametrize("name", ["a [b](c).png", "two\nlines.png", "\x1b[31m.png", "é" * 300, ""])
def test_any_name_can_be_read_again(name: str) -> None:
    (found,) = images_in(picture(name).block)
    assert (found.digest, found.kind, found.width, found.height, found.size) == (SHOT.digest, "png", 5, 3, len(PNG))


@given(st.text() | st.sampled_from([BLOCK, BLOCK[:-1], f"![{BLOCK}", "](tui-chat:", f"[{BLOCK}]"]))
def test_nothing_of_a_text_is_lost(text: str) -> None:
    assert "".join(part if isinstance(part, str) else part.block for part in parts(text)) == text


def test_words_stand_for_images_where_there_are_only_words() -> None:
    assert in_words(f"what is {BLOCK}?") == "what is [image: shot.png, 5×3, 77 B]?"
    assert in_words("no image](tui-chat:") == "no image](tui-chat:"
    assert first_words(f"{BLOCK} what is it?") == "[image: shot.png, 5×3, 77 B] what is it?"


def test_an_image_counts_by_its_size_up_to_a_limit() -> None:
    def tokens(width: int, height: int) -> float:
        return Image("x", "", "png", width, height, 1).tokens

    assert tokens(750, 1) == tokens(1, 1) == 1
    assert tokens(1000, 750) == 1000
    assert tokens(4000, 4000) == tokens(1568, 1568) == pytest.approx(3278, abs=1)
