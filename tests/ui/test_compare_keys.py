"""Keys of the user's choice in a comparison, and what its composer completes and attaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.table import Table

from tests.kit.pictures import PNG
from tests.kit.screen import opened
from tests.ui.test_compare import SETS, Lanes, comparing
from tests.ui.test_compare import env as env
from tests.ui.test_compare import server as server
from tui_chat.demo.server import DemoServer
from tui_chat.domain.keymap import PRESETS
from tui_chat.ui.screens.compare import CompareScreen
from tui_chat.ui.screens.compare_help import CompareHelp, help_page
from tui_chat.ui.screens.difference import DifferenceScreen
from tui_chat.ui.screens.results import ResultsScreen


def configure(env: dict[str, str], *lines: str) -> None:
    Path(env["TUI_CHAT_CONFIG"]).write_text("\n".join([SETS, "[keys]", *lines]))


def names(it: Lanes) -> list[str]:
    return [offer.name for offer in it.screen.completion.offers]


def page(it: Lanes) -> list[tuple[str, str]]:
    """(what it does, its keys) of each line of the help."""
    tables = [part for part in help_page(it.chat.app.house.config.keys).renderables if isinstance(part, Table)]
    rows = [zip(table.columns[2].cells, table.columns[0].cells, strict=True) for table in tables]
    return [(str(does), str(keys)) for row in rows for does, keys in row]


# keys


async def test_another_key_does_it_and_the_old_one_does_not(env: dict[str, str]) -> None:
    configure(env, 'compare_duplicate = "alt+u"', 'compare_lock = "f12"', 'compare_remove = ""')
    async with comparing(env) as it:
        await it.press("alt+c")
        assert len(it.lanes) == 1
        await it.press("alt+u")
        await it.until(lambda: len(it.lanes) == 2)
        await it.press("alt+s")
        assert not it.screen._locked
        await it.press("f12")
        assert it.screen._locked
        await it.press("alt+x")
        assert len(it.lanes) == 2


async def test_a_lane_has_keys_to_choose_too(env: dict[str, str]) -> None:
    configure(env, 'lane_maximise = "f11"')
    async with comparing(env, "temps") as it:
        await it.press("alt+1", "enter")
        assert all(it.shown)
        await it.press("f11")
        assert it.shown == [True, False, False]


async def test_footer_hint_and_help_show_the_keys_that_count(env: dict[str, str]) -> None:
    configure(env, 'compare_model = "f12"', 'help = "alt+w"', 'lane_top = "f11"')
    async with comparing(env, size=(130, 70)) as it:
        assert "F12 add model" in it.line("#keys")
        assert "Alt+W help" in it.line("#keys")
        assert it.status.startswith("F12 ")
        await it.press("alt+w")
        assert isinstance(it.chat.app.screen, CompareHelp)
        picture = it.chat.app.export_screenshot()
        assert "F12" in picture
        await it.press("end")
        await it.until(lambda: "F11" in it.chat.app.export_screenshot())
        shown = {action: keys for action, keys in page(it) if keys}
        assert shown["Add a lane for a model from the list"] == "F12"
        assert shown["Go to the beginning of the lane"] == "F11"
        await it.press("alt+w")
        assert it.chat.app.screen is it.screen


async def test_what_opens_a_screen_of_the_comparison_closes_it(env: dict[str, str]) -> None:
    configure(env, 'compare_results = "f11"', 'compare_diff = "f12"')
    async with comparing(env, "temps") as it:
        await it.ask("echo hi")
        for key, screen in (("f11", ResultsScreen), ("f12", DifferenceScreen)):
            await it.press(key)
            assert isinstance(it.chat.app.screen, screen)
            await it.press(key)
            assert it.chat.app.screen is it.screen


async def test_a_clash_within_the_comparison_is_told_and_the_keys_stay(env: dict[str, str]) -> None:
    configure(env, 'compare_sweep = "alt+a"')
    async with opened(env, "demo-fast") as chat:
        assert "keys.compare_sweep cannot have Alt+A, which compare_again has" in chat.status
        assert chat.app.house.config.keys.of("compare_sweep") == ("f4",)


@pytest.mark.parametrize("preset", ["no-f-keys", "multiplexer"])
async def test_a_preset_reaches_the_comparison(env: dict[str, str], preset: str) -> None:
    configure(env, f'preset = "{preset}"')
    changes = PRESETS[preset]
    async with comparing(env, size=(130, 40)) as it:
        keymap = it.chat.app.house.config.keys
        assert keymap.of("compare_add") == (changes.get("compare_add", "alt+l"),)
        await it.press(*keymap.of("compare_add"))
        await it.until(lambda: it.screen._what == "add")
        await it.press("escape", *keymap.of("compare_sets"))
        await it.until(lambda: it.chat.app.screen is not it.screen)


async def test_an_entry_for_the_chat_goes_before_a_key_of_the_table(env: dict[str, str]) -> None:
    configure(env, 'retry = "alt+a"')
    async with comparing(env, "temps") as it:
        assert not it.status.startswith(env["TUI_CHAT_CONFIG"])
        await it.ask("echo hi")
        before = it.comparison.round
        await it.press("alt+a")
        await it.until(lambda: not it.comparison.running)
        assert it.comparison.round == before
        assert it.chat.app.house.config.keys.of("compare_again") == ()


async def test_the_palette_opens_here_with_the_commands_of_the_comparison(env: dict[str, str]) -> None:
    configure(env, 'compare_sweep = "f12"')
    async with comparing(env) as it:
        titles = [command.title for command in it.chat.app.get_system_commands(it.screen)]
        assert "sweep · F12" in titles
        assert "tally" in titles
        assert not [title for title in titles if title.startswith("go to a lane")]
        await it.press("ctrl+p")
        assert it.chat.app.screen is not it.screen
        assert isinstance(it.chat.app.screen_stack[-2], CompareScreen)


# completing


async def test_commands_are_listed_as_they_are_typed_and_tab_takes_one(env: dict[str, str]) -> None:
    async with comparing(env, size=(80, 24)) as it:
        await it.type("/")
        assert {"/lane", "/blind", "/chat", "/help"} <= set(names(it))
        assert not {"/history", "/temporary"} & set(names(it))
        await it.type("bl")
        assert names(it) == ["/blind"]
        offer = it.screen.completion.chosen
        assert (offer.key, offer.help) == ("F8", "Hide who answers until you have voted; again: show it")
        assert it.screen.completion.region.bottom == it.screen.query_one("#status").region.y
        await it.press("tab")
        assert it.screen.composer.text == "/blind"


async def test_a_burst_is_not_taken_for_what_its_beginning_could_become(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.type("/note")
        assert it.screen.completion.is_open
        await it.chat.burst(" good one", "enter")
        await it.until(lambda: it.screen.lane and it.screen.lane.note == "good one")


async def test_enter_takes_what_alone_can_be_meant_and_then_runs_it(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.type("/bl")
        await it.press("enter")
        assert it.screen.composer.text == "/blind"
        await it.press("enter")
        await it.until(lambda: it.screen.blind)
        assert not it.screen.completion.is_open


async def test_escape_closes_the_list_and_leaves_what_is_written(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.type("/")
        assert it.screen.completion.is_open
        await it.press("escape")
        assert not it.screen.completion.is_open
        assert it.screen.composer.text == "/"
        assert it.chat.app.screen is it.screen


async def test_what_a_command_takes_is_listed(env: dict[str, str]) -> None:
    async with comparing(env, "mixed") as it:
        await it.type("/set ")
        assert names(it) == ["temps", "mixed"]
        await it.type("te")
        await it.press("enter", "enter")
        await it.until(lambda: it.models == ["demo-fast"] * 3)
        await it.type("/vote ")
        assert names(it) == ["A", "B", "C"]
        it.screen.composer.put("")
        await it.type("/export ")
        assert [name.rpartition(".")[2] for name in names(it)] == ["md", "csv", "json"]


async def test_no_list_tells_who_answers_in_a_blind_round(env: dict[str, str]) -> None:
    async with comparing(env, "mixed") as it:
        await it.send("/blind")
        await it.ask("echo hi")
        await it.type("/vote ")
        assert names(it)
        assert not [offer for offer in it.screen.completion.offers if offer.help]


# files


async def test_a_word_behind_an_at_sign_is_sent_like_any_other(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.type("echo ask @nobody about it")
        await it.press("enter")
        await it.until(lambda: it.comparison.round and not it.comparison.running)
        assert "ask @nobody about it" in it.answers[0]


async def test_a_file_is_completed_and_goes_along(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.txt").write_text("a line of the file\n")
    monkeypatch.chdir(tmp_path)
    async with comparing(env, "temps") as it:
        await it.type("echo @wor")
        await it.until(lambda: names(it) == ["words.txt"])
        await it.press("tab")
        await it.until(lambda: "a line of the file" in it.screen.composer.text)
        await it.press("enter")
        await it.until(lambda: it.comparison.round and not it.comparison.running)
        nodes = it.comparison.session.conversation.nodes.values()
        assert any("a line of the file" in node.text for node in nodes if node.role == "user")


async def test_a_file_that_cannot_be_read_is_told(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.type('@"/no/such file" ')
        it.screen.composer.post_message(it.screen.composer.Attach("/no/such file"))
        await it.until(lambda: "/no/such file" in it.status)


async def test_an_image_goes_along_to_every_lane(
    env: dict[str, str], server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shot.png").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    async with comparing(env, "temps") as it:
        await it.type("@shot.png ")
        await it.until(lambda: it.screen.composer.document.text.startswith("[image shot.png"))
        await it.type("what is it")
        await it.press("enter")
        await it.until(lambda: it.comparison.round and not it.comparison.running)
        assert all(answer.startswith("I see an image: PNG") for answer in it.answers)
