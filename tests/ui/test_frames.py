"""Frames, not tokens: what is sent to the terminal, when, and what happens when it takes nothing."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tests.kit.emulator import Emulator
from tests.kit.program import COMMAND, clean_environment
from tests.kit.serving import demo_server
from tests.kit.terminal import Terminal
from tests.ui.test_pty import assert_left_clean
from tui_chat.ui.pacing import IN_FLIGHT, IN_FLIGHT_TYPED, PATIENCE_S, Pacer
from tui_chat.ui.picture import Brush, Row

# pacing


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def send(pacer: Pacer, size: int = 100) -> None:
    assert pacer.wait_s() == 0
    pacer.sent(size, asked=pacer.ask())


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def pacer(clock: Time) -> Pacer:
    pacer = Pacer(clock, 20)
    pacer.streaming = True
    return pacer


def test_an_idle_screen_asks_nothing_and_waits_for_nothing(clock: Time) -> None:
    pacer = Pacer(clock, 20)
    for _ in range(10):
        send(pacer)
    assert not pacer.answered()
    assert not pacer.owed


def test_no_more_frames_than_the_rate_allows(pacer: Pacer, clock: Time) -> None:
    sent = 0
    for _ in range(1000):
        clock.now += 0.01
        if not pacer.wait_s():
            send(pacer)
            assert pacer.answered()
            sent += 1
    assert sent == pytest.approx(200, abs=2)


def test_frames_wait_for_the_answers(pacer: Pacer, clock: Time) -> None:
    for _ in range(IN_FLIGHT):
        clock.now += 0.1
        send(pacer)
    clock.now += 0.1
    assert pacer.full
    assert pacer.wait_s() > 0
    assert pacer.answered()
    assert not pacer.full
    send(pacer)


def test_patience_ends_though_nobody_wants_to_send(pacer: Pacer, clock: Time) -> None:
    for _ in range(IN_FLIGHT):
        clock.now += 0.1
        send(pacer)
    assert pacer.full
    clock.now += PATIENCE_S
    assert not pacer.full


def test_an_echo_does_not_wait_for_the_frames_before_it(pacer: Pacer, clock: Time) -> None:
    for _ in range(IN_FLIGHT):
        clock.now += 0.1
        send(pacer)
    pacer.typed()
    for _ in range(IN_FLIGHT_TYPED - IN_FLIGHT):
        send(pacer)
    assert pacer.wait_s() > 0


def test_a_terminal_that_never_answers_is_sent_what_a_line_takes(pacer: Pacer, clock: Time) -> None:
    start, total = clock.now, 0
    while clock.now < start + 60:
        clock.now += 0.05
        if not pacer.wait_s():
            send(pacer, 5_000)
            pacer.taken(5_000, 0.5)
            total += 5_000
    assert 8_000 < total / 60 < 12_000
    assert not pacer.owed


def test_one_that_stops_answering_is_sent_less_and_less_until_it_answers(pacer: Pacer, clock: Time) -> None:
    send(pacer)
    assert pacer.answered()
    times: list[float] = []
    while clock.now < 160:
        clock.now += 0.05
        if not pacer.wait_s():
            send(pacer, 1_000)
            times.append(clock.now)
    assert times[2] - times[1] >= PATIENCE_S - 0.5
    assert len(times) < 100
    assert pacer.answered()
    clock.now += 0.1
    send(pacer)


# what is sent

RED = Style.parse("#ff0000 on #101010")
DARK = Style.parse("#dddddd on #101010")
BOLD = DARK + Style(bold=True)


def row(*parts: tuple[str, Style]) -> Row:
    row = Row(40)
    strip = Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(40, DARK)
    row.put(0, strip, ColorSystem.TRUECOLOR)
    return row


def sent(old: Row, new: Row, *, erases: bool = True) -> str:
    brush = Brush(erases)
    brush.row(0, old, new)
    brush.rest()
    return "".join(brush.parts)


def test_only_what_changed_is_sent() -> None:
    old, new = row(("one two three", DARK)), row(("one two four!", DARK))
    assert sent(old, old) == ""
    assert re.sub(r"\x1b\[[\d;]*m", "", sent(old, new)) == "\x1b[1;9Hfour!"


def test_a_doubtful_width_has_the_line_sent_whole() -> None:
    old, new = row(("👩‍🔬 one", DARK)), row(("👩‍🔬 two", DARK))
    assert "\x1b[1;1H" in sent(old, new)
    assert "👩‍🔬 two" in sent(old, new)


class Narrow(Emulator):
    """A terminal for which a flag is as wide as one letter, as mosh 1.4 has it of what it joins."""

    def feed(self, text: str) -> None:
        super().feed(text.replace("🇻🇳", "V"))


@pytest.mark.parametrize("erases", [True, False])
def test_what_stands_behind_a_doubtful_width_stands_where_it_belongs(erases: bool) -> None:
    old, new = row(("─" * 40, DARK)), row(("all ", DARK), ("🇻🇳 flags", DARK), (" wave", BOLD))
    narrow = Narrow(40, 1)
    narrow.feed(sent(Row(40), old, erases=erases))
    narrow.feed(sent(old, new, erases=erases))
    assert narrow.display == ["all V flags  wave"]


LINES = (
    row(("plain text", DARK)),
    row(("bold", BOLD), (" and ", DARK), ("red", RED), (" " * 25, RED)),
    row(("漢字 かな 漢字", DARK), ("x", BOLD)),
    row((" 漢字 かな 漢字", DARK)),
    row(("", DARK)),
    row(("italic", Style.parse("italic underline")), ("  ", Style()), ("struck", Style.parse("strike reverse"))),
    row((" " * 30, DARK), ("end", RED)),
)


@pytest.mark.parametrize("erases", [True, False])
def test_any_line_leads_to_any_other(erases: bool) -> None:
    choose = random.Random(3)
    emulator, old = Emulator(40, 1), Row(40)
    for _ in range(200):
        new = choose.choice(LINES)
        emulator.feed(sent(old, new, erases=erases))
        fresh = Emulator(40, 1)
        fresh.feed(sent(Row(40), new, erases=False))
        assert emulator.cells() == fresh.cells()
        old = new


def all_sent(old: list[Row], new: list[Row], *, erases: bool = True) -> str:
    brush = Brush(erases)
    for y, (one, other) in enumerate(zip(old, new, strict=True)):
        brush.row(y, one, other)
    brush.rest()
    return "".join(brush.parts)


@pytest.mark.parametrize("erases", [True, False])
def test_any_screen_leads_to_any_other(erases: bool) -> None:
    choose = random.Random(4)
    emulator, old = Emulator(40, 5), [Row(40) for _ in range(5)]
    for _ in range(300):
        new = choose.choices(LINES, k=5)
        emulator.feed(all_sent(old, new, erases=erases))
        fresh = Emulator(40, 5)
        for y, line in enumerate(new):
            fresh.feed(f"\x1b[{y + 1};1H" + sent(Row(40), line, erases=False).removeprefix("\x1b[1;1H"))
        assert emulator.cells() == fresh.cells()
        old = new


def test_what_has_one_colour_is_written_in_one_go() -> None:
    label, figure = Style.parse("#808080 on #101010"), Style.parse("#ffffff on #101010")
    lines = [row((f"{name:<10}", label), (f"{name:>10}", figure)) for name in ("input", "output", "cost", "time")]
    written = all_sent([Row(40) for _ in lines], lines)
    assert written.count("38;2;128;128;128") == written.count("38;2;255;255;255") == 1
    emulator = Emulator(40, 4)
    emulator.feed(written)
    assert emulator.display == [f"{name:<10}{name:>10}" for name in ("input", "output", "cost", "time")]


def test_a_short_colour_is_changed_within_the_line() -> None:
    strip = Strip([Segment("one", Style.parse("red")), Segment("two", Style.parse("blue"))])
    lines = [Row(6) for _ in range(3)]
    for line in lines:
        line.put(0, strip, ColorSystem.TRUECOLOR)
    written = all_sent([Row(6) for _ in lines], lines)
    assert re.sub(r"\x1b\[[\d;]*m", "", written) == "".join(f"\x1b[{y};1Honetwo" for y in (1, 2, 3))


def test_behind_a_doubtful_width_nothing_is_written_early() -> None:
    lines = [row(("red", RED), ("🇻🇳 flags", DARK), ("red", RED)), row(("red", RED), ("dark", DARK))]
    wide = Emulator(40, 2)
    wide.feed(all_sent([Row(40), Row(40)], lines).replace("🇻🇳", "VIE"))
    assert wide.display == ["redVIE flagred", "reddark"]


# on a terminal


@contextmanager
def streaming(home: Path, ssh: str = "1", **options: int) -> Iterator[Terminal]:
    """A long reply of a hundred tokens a second that has begun to come in."""
    with demo_server(speed=1) as server:
        variables = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k", "SSH_CONNECTION": ssh}
        command = [*COMMAND, "-m", "demo-fast"]
        with Terminal(command, clean_environment(home, **variables), (120, 40), home, **options) as terminal:
            terminal.wait("Ctrl+Q quit")
            terminal.wait("Message ")
            terminal.send("count 9000")
            terminal.wait("count 9000")
            terminal.press("enter")
            terminal.wait("streaming")
            yield terminal


def frames_in(raw: bytes) -> int:
    """How many frames were sent while a reply came in."""
    return raw.count(b"\x1b[6n")


@pytest.mark.parametrize(("ssh", "fps", "bytes_per_token"), [("1", 10, 150), ("", 20, 500)], ids=["ssh", "local"])
def test_frames_not_tokens(tmp_path: Path, ssh: str, fps: int, bytes_per_token: int) -> None:
    with streaming(tmp_path, ssh) as terminal:
        terminal.wait(" 300 ")
        start, before = time.monotonic(), len(terminal.raw)
        terminal.wait(" 800 ")
        seconds, raw = time.monotonic() - start, bytes(terminal.raw[before:])
        assert frames_in(raw) <= (fps + 1) * seconds + 2
        assert len(raw) / 500 < bytes_per_token
        terminal.press("esc")
        terminal.wait("Cancelled")
        assert_idle_screen_is_quiet(terminal, blinks=not ssh)
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_left_clean(terminal)


def assert_idle_screen_is_quiet(terminal: Terminal, *, blinks: bool) -> None:
    terminal.wait_gone("Esc cancel")
    settled = time.monotonic() + 1
    terminal.wait(lambda: time.monotonic() > settled)
    before, asked = len(terminal.raw), frames_in(terminal.raw)
    deadline = time.monotonic() + 1.5
    terminal.wait(lambda: time.monotonic() > deadline)
    assert frames_in(terminal.raw) == asked
    assert blinks or len(terminal.raw) == before


def test_keys_work_on_a_slow_line(tmp_path: Path) -> None:
    with streaming(tmp_path, bytes_per_s=20_000) as terminal:
        terminal.wait(" 300 ")
        pressed = time.monotonic()
        terminal.press("esc")
        terminal.wait("Cancelled", 5)
        assert time.monotonic() - pressed < 2
        terminal.press("f5")
        terminal.wait("version 2/2")
        terminal.wait("streaming")
        pressed = time.monotonic()
        terminal.press("ctrl+q")
        assert terminal.wait_exit(10) == 0
        assert time.monotonic() - pressed < 4
        assert_left_clean(terminal)


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with streaming(tmp_path) as terminal:
        time.sleep(3)  # nothing is read
        terminal.press("ctrl+q")
        assert terminal.process.wait(6) == 0


def test_a_terminal_that_does_not_answer_is_drawn_on_all_the_same(tmp_path: Path) -> None:
    with streaming(tmp_path) as terminal:
        terminal.answers = False
        terminal.wait(" 500 ")
        terminal.wait(" 700 ", 10)
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_left_clean(terminal)


KEYS_SCRIPT = """
from textual import events
from textual.app import App
from textual.widgets import Static
from tui_chat.ui.frames import frames_of
from tui_chat.ui.terminal import Driver

class Keys(App):
    def __init__(self):
        super().__init__(driver_class=Driver)
        self.keys, self.reports, self.n = [], 0, 0

    def _display(self, screen, renderable):
        self._driver.draw(screen, renderable)

    def compose(self):
        yield Static(id="all")

    def on_mount(self):
        self.frames = frames_of(self.screen)
        self.frames.stream(20)
        self.set_interval(0.05, self.draw)

    def draw(self):
        self.n += 1
        told = f"{self.n} {self.frames.count} frames, {self.reports} reports, keys {' '.join(self.keys)} ."
        self.query_one("#all", Static).update(told)

    def on_key(self, event):
        self.keys.append(event.key)
        if event.key == "q":
            self.exit()

    def on_event(self, event):
        self.reports += isinstance(event, events.CursorPosition)
        return super().on_event(event)

Keys().run()
"""


def test_answers_are_no_keys_and_keys_are_no_answers(tmp_path: Path) -> None:
    script = tmp_path / "keys.py"
    script.write_text(KEYS_SCRIPT)
    with Terminal([sys.executable, str(script)], clean_environment(tmp_path), (80, 24), tmp_path) as terminal:
        terminal.wait("30 ")
        for key in ("\x1b[1;2R", "a", "\x1b[1;5R", "\x1b[1;4R", "\x1bOR"):
            terminal.send(key)
        terminal.wait("0 reports, keys shift+f3 a ctrl+f3 alt+shift+f3 f3 .")
        assert frames_in(terminal.raw) > 20
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_a_stop_leaves_the_terminal_in_order_and_a_continue_draws_it_anew(tmp_path: Path) -> None:
    with streaming(tmp_path) as terminal:
        terminal.wait(" 300 ")
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.wait_stopped()
        assert_left_clean(terminal)
        before = len(terminal.raw)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait(lambda: b"cancel" in terminal.raw[before:])
        terminal.wait(" 500 ")
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_left_clean(terminal)


STUCK = """
import pathlib, sys, time
from tui_chat.cli import main
from tui_chat.ui.app import TuiChat
from tui_chat.ui.screens.chat import ChatScreen

def stuck(self):
    self.app.last_words = lambda: pathlib.Path("said").write_text("farewell")
    while True:
        time.sleep(0.01)

ChatScreen.action_tail = stuck
sys.argv = ["tui-chat", "--demo"]
main.main()
"""


@pytest.mark.parametrize("ignoring", [False, True], ids=["plain", "nohup"])
def test_a_lost_terminal_ends_a_program_that_is_stuck(tmp_path: Path, ignoring: bool) -> None:
    script = tmp_path / "stuck.py"
    script.write_text(STUCK)
    command = [sys.executable, str(script)]
    if ignoring:
        command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command]
    with Terminal(command, clean_environment(tmp_path), (80, 24), tmp_path) as terminal:
        terminal.wait("Ctrl+Q quit")
        terminal.press("ctrl+end")
        time.sleep(0.5)
        terminal.hang_up()
        start = time.monotonic()
        assert terminal.process.wait(8) == 129
        assert time.monotonic() - start < 4
    assert (tmp_path / "said").read_text() == "farewell"
    assert not os.path.exists(f"/proc/{terminal.process.pid}")
