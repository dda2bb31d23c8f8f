"""The settings of this chat: each with its value and where that comes from; used here, or kept for other chats."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace
from rich.text import Text
from textual import events, on, work
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_chat.domain.failure import TuiChatError, UsageError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store import written
from tui_chat.ui.keys import Key, bindings, footer, named
from tui_chat.ui.screens.models import ModelPicker, Picked
from tui_chat.ui.screens.naming import Naming
from tui_chat.ui.screens.profiles import ProfilesScreen
from tui_chat.ui.widgets.fields import Field

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.engine.reply import Target
    from tui_chat.ui.app import TuiChat
    from tui_chat.wiring import Choice, House

SEVERAL_LINES = ("system", "extra_body")
KEYS = (
    named("settings_use", "use", first=True),
    named("settings_keep", "keep", first=True),
    named("settings_default", "keep_default", first=True),
    named("settings_profiles", "profiles", first=True),
    named("settings_models", "models", first=True),
    Key("escape", "back", "settings.key.back"),
)
SHORT, AROUND, AROUND_SHORT = 18, 9, 5
"""Rows below which the dialog has no blank lines, and how many are not the fields'."""


class Chosen(Struct, frozen=True):
    """What a chat goes on with."""

    target: Target
    profile: str = ""
    """The profile that was taken or kept."""
    said: str = ""
    """What the user should hear of it."""
    offered: bool = False
    """Its model was picked from the endpoint's own list."""


class SettingsScreen(ModalScreen[Chosen | None]):
    """Dismisses with what was chosen, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, target: Target, choice: Choice, profile: str = "") -> None:
        """`choice` is what the command line chose, `profile` the one that was taken last."""
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (SHORT, "-tall")]
        self._house = house
        self._target = target
        self._choice = choice
        self._profile = profile
        self._offered: tuple[str, str] | None = None
        self._leaving = False
        self._fields = [self._field("model"), *map(self._field, written.FIELDS)]
        self._answer = Static(classes="dialog-hint", markup=False)

    def _field(self, name: str) -> Field:
        hint = say(f"setting.{name}.hint")
        return Field(name, say(f"setting.{name}"), self._shown(name), hint, several_lines=name in SEVERAL_LINES)

    def _shown(self, name: str) -> str:
        if name != "model":
            return written.show(self._target.settings, name)
        return f"{self._target.endpoint.name}/{self._target.model}" if self._target.model else ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield Static(say("settings.title"), classes="dialog-title", markup=False)
            with VerticalScroll(can_focus=False):
                yield from self._fields
            yield self._answer
            keys = footer(KEYS, self.app.house.config.keys)
            keys.no_wrap = False
            yield Static(keys, classes="form-keys")

    def on_mount(self) -> None:
        self._tell()
        self._fields[0].editor.focus()

    # what is written

    @on(Field.Edited)
    def _edited(self) -> None:
        self._leaving = False
        self._say("")
        self._tell()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        field = next((field for field in self._fields if field.editor is event.widget), None)
        if field is not None:
            field.scroll_visible(animate=False)
            if self.has_class("-narrow"):
                self._say(field.origin)

    def on_key(self, event: events.Key) -> None:
        """Up and Down go from field to field."""
        if event.key in ("up", "down"):
            self.focus_previous() if event.key == "up" else self.focus_next()
            event.stop()
            event.prevent_default()

    def on_resize(self, event: events.Resize) -> None:
        around = AROUND_SHORT if event.size.height < SHORT else AROUND
        self.query_one(VerticalScroll).styles.max_height = max(1, event.size.height - around)

    def _tell(self) -> None:
        """Say at each field where its value comes from, and what is wrong with it."""
        target, faults = self._read()
        origins = self._house.profiles.origins(target, self._choice, self._profile)
        for field in self._fields:
            field.tell(origins[field.field], faults.get(field.field))

    def _read(self) -> tuple[Target, dict[str, str]]:
        """The target with all that is right in the fields, its model as written, and by field what is wrong."""
        faults: dict[str, str] = {}
        right: dict[str, Any] = {}
        for field in self._fields[1:]:
            if field.changed:
                value, fault = written.read(field.field, field.text)
                right |= {field.field: value} if fault is None else {}
                faults |= {field.field: fault} if fault is not None else {}
        target = replace(self._target, settings=replace(self._target.settings, **right))
        model = self._fields[0]
        if model.changed:
            target = replace(target, model=model.text.strip())
            faults |= {} if target.model else {"model": say("settings.no_model")}
        return target, faults

    def _whole(self) -> Target | None:
        """The target as written; None where something is wrong, which then has the focus."""
        target, faults = self._read()
        if self._fields[0].changed and "model" not in faults:
            try:
                target = self._with_model(target)
            except TuiChatError as error:
                faults["model"] = str(error)
                self._fields[0].tell("", faults["model"])
        wrong = next((field for field in self._fields if field.field in faults), None)
        if wrong is None:
            return target
        wrong.editor.focus()
        self.call_after_refresh(self._say, say("settings.wrong", count=len(faults)))
        return None

    def _with_model(self, target: Target) -> Target:
        """The endpoint that the model's text names is looked for only here: its key may come from a command."""
        endpoint, model = self._house.targets.named(target.model, self._target.endpoint)
        if not model:
            raise UsageError(say("settings.no_model"))
        return self._house.targets.of(endpoint, model, target.settings, stream=target.stream)

    def _say(self, text: str) -> None:
        self._answer.update(Text(visible_line(text)))

    # what is done with it

    @on(Input.Submitted)
    def action_use(self) -> None:
        """Go on with it in this chat."""
        if (target := self._whole()) is not None:
            self._leave(target, self._profile, say("settings.used") if target != self._target else "")

    def _leave(self, target: Target, profile: str, said: str) -> None:
        self.dismiss(Chosen(target, profile, said, self._offered == (target.endpoint.name, target.model)))

    def action_keep(self) -> None:
        """Keep it under a name, and go on with it."""
        target = self._whole()
        if target is None:
            return
        profiles = self._house.profiles

        def named(name: str | None) -> None:
            if name:
                self._leave(target, name, say("settings.kept", name=visible_line(name, 60)))

        mine = self._profile if profiles.kept(self._profile) else ""
        others = [name for name in profiles.names() if name != mine]

        def keep(name: str) -> None:
            profiles.keep(name, target)

        self.app.push_screen(Naming(say("settings.name"), mine, keep, others), named)

    def action_keep_default(self) -> None:
        """Have new chats begin with it, and go on with it."""
        target = self._whole()
        if target is None:
            return
        try:
            self._house.profiles.keep_default(target)
        except TuiChatError as error:
            self._say(str(error))
        else:
            self._leave(target, self._profile, say("settings.kept_default"))

    def action_profiles(self) -> None:
        self.app.push_screen(ProfilesScreen(self._house, self._profile), self._take)

    def _take(self, name: str | None) -> None:
        if name is not None:
            self._fill(name)

    @work(exclusive=True, exit_on_error=False)
    async def _fill(self, name: str) -> None:
        """Fill the fields from a profile; the key of its endpoint may come from a command that takes a while."""
        try:
            self._target = await asyncio.to_thread(self._house.profiles.take, name, self._target)
        except TuiChatError as error:
            self._say(str(error))
            return
        self._profile = name
        for field in self._fields:
            field.reset(self._shown(field.field))
        self._tell()
        self._say(say("settings.taken", name=visible_line(name, 60)))

    def action_models(self) -> None:
        self.app.push_screen(ModelPicker(self._house, self._target.endpoint, self._target.model), self._picked)

    def _picked(self, picked: Picked | None) -> None:
        if picked is not None:
            self._offered = (picked.endpoint.name, picked.model) if picked.offered else None
            self._fields[0].put(f"{picked.endpoint.name}/{picked.model}")

    def action_back(self) -> None:
        """Leave; what was changed is given up only when asked twice."""
        if any(field.changed for field in self._fields) and not self._leaving:
            self._leaving = True
            self._say(say("settings.leave"))
        else:
            self.dismiss(None)
