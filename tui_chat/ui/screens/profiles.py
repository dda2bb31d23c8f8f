"""The profiles: those of config.toml and those kept on the screen, to be taken, renamed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui_chat.domain.failure import TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.profiles import table_of
from tui_chat.ui.cells import columns, padded
from tui_chat.ui.keys import Key, bindings, footer, named, without
from tui_chat.ui.screens.confirm import Confirm
from tui_chat.ui.screens.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from tui_chat.ui.app import TuiChat
    from tui_chat.wiring import House

MOST_NAME = 60

KEYS = (
    Key("enter", "choose", "profiles.key.take"),
    named("profiles_rename", "rename"),
    named("profiles_delete", "delete"),
    named("profiles_forget", "forget"),
    Key("escape", "dismiss(None)", "profiles.key.back"),
)


class ProfilesScreen(ModalScreen[str | None]):
    """Dismisses with the name of the profile to take, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, current: str = "") -> None:
        """`current` is under the cursor."""
        super().__init__()
        self._house = house
        self._profiles = house.profiles
        self._current = current
        self._list = OptionList(markup=False)
        self._answer = Static(classes="dialog-hint", markup=False)
        self._keys = Static(classes="form-keys")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("profiles.title"), classes="dialog-title", markup=False)
            yield self._list
            yield self._answer
            yield self._keys

    def on_mount(self) -> None:
        self._fill(self._current)
        self._list.focus()

    def _fill(self, name: str) -> None:
        names = self._profiles.names()
        self._list.clear_options()
        width = max((columns(visible_line(each, MOST_NAME)) for each in names), default=0)
        self._list.add_options([Option(self._row(each, width), id=f"profile:{each}") for each in names])
        if names:
            self._list.highlighted = names.index(name) if name in names else 0
        self._say("" if names else say("profiles.none"))
        self._show_keys()

    def _row(self, name: str, width: int) -> Text:
        row = Text(padded(visible_line(name, MOST_NAME), width), style="bold")
        return row.append(f"  {self._about(name)}", "not bold")

    def _about(self, name: str) -> str:
        """Where a profile stands, and what it says."""
        profile = self._profiles.get(name)
        if profile is None or (self._profiles.kept(name) and self._profiles.in_file(name)):
            return say("profiles.shadow", file=self._house.config_file.name)
        place = say("profiles.kept") if self._profiles.kept(name) else self._house.config_file.name
        table = table_of(profile)
        goes_to = "/".join(filter(None, (table.pop("endpoint", ""), table.pop("model", ""))))
        values = [f"{key} {value}" for key, value in table.items() if key not in ("system", "extra_body")]
        values += [key for key in ("system", "extra_body") if key in table]
        return visible_line(" · ".join(filter(None, (place, goes_to, *values))), 200)

    def _show_keys(self) -> None:
        idle = () if self._house.state.default is not None else ("forget",)
        keys = footer(without(KEYS, idle), self.app.house.config.keys)
        keys.no_wrap = False
        self._keys.update(keys)

    def _say(self, text: str) -> None:
        self._answer.update(Text(visible_line(text)))

    @property
    def _chosen(self) -> str | None:
        """The one under the cursor."""
        at, names = self._list.highlighted, self._profiles.names()
        return names[at] if at is not None and at < len(names) else None

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        if self._chosen is not None:
            self.dismiss(self._chosen)

    def action_rename(self) -> None:
        name = self._mine()
        if name is None:
            return

        def renamed(new: str | None) -> None:
            self._fill(new or name)

        self.app.push_screen(
            Naming(say("profiles.rename"), name, lambda new: self._profiles.rename(name, new)), renamed
        )

    def action_delete(self) -> None:
        name = self._mine()
        if name is None:
            return

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._act(lambda: self._profiles.drop(name), say("profiles.deleted", name=visible_line(name, 60)))

        about = self._about(name)
        self.app.push_screen(Confirm(say("profiles.delete", name=name), about, say("profiles.delete_keys")), answered)

    def action_forget(self) -> None:
        """Forget the default that was kept."""
        kept = self._house.state.default is not None
        self._act(self._profiles.forget_default, say("profiles.forgot" if kept else "profiles.no_default"))

    def _mine(self) -> str | None:
        """The one under the cursor, if it can be changed here; else says so."""
        name = self._chosen
        if name is not None and not self._profiles.kept(name):
            self._say(say("profiles.not_mine", file=self._house.config_file))
            return None
        return name

    def _act(self, act: Callable[[], object], said: str) -> None:
        try:
            act()
        except TuiChatError as error:
            self._say(str(error))
        else:
            self._fill(self._chosen or "")
            self._say(said)
