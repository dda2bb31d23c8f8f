"""How the rounds of a comparison are run, as the line that the user edits."""

from __future__ import annotations

from msgspec import Struct

from tui_chat.domain.lane import lane_table
from tui_chat.domain.words import say
from tui_chat.engine.comparison import Pace

MOST_RUNS = 100
MOST_STAGGER_S = 3600.0


class OptionError(ValueError):
    """What is wrong with the line, as a sentence."""


class Options(Struct, frozen=True):
    pace: Pace = Pace()
    warm: bool = False
    """Connections are opened before a round begins."""

    @property
    def line(self) -> str:
        """`repeat=3 parallel=false stagger=0 limit=none warm=false`, as `read_options` reads it."""
        pace, limit = self.pace, "none" if self.pace.limit is None else self.pace.limit
        parallel, warm = ("true" if yes else "false" for yes in (pace.parallel, self.warm))
        return f"repeat={pace.repeat} parallel={parallel} stagger={pace.stagger_s:g} limit={limit} warm={warm}"

    @property
    def words(self) -> str:
        """What differs from one run of each lane, all at once; empty where nothing does."""
        pace, parts = self.pace, list[str]()
        if pace.repeat > 1:
            way = say("lanes.parallel" if pace.parallel else "lanes.in_turn")
            parts.append(say("lanes.repeat", count=pace.repeat, way=way))
        if pace.stagger_s:
            parts.append(say("lanes.stagger", seconds=f"{pace.stagger_s:g}"))
        if pace.limit is not None:
            parts.append(say("lanes.limit", count=pace.limit))
        return " · ".join([*parts, *([say("lanes.warm")] if self.warm else [])])


def read_options(text: str, before: Options) -> Options:
    """What the line says, and `before` where it is silent. Raises OptionError, LaneError."""
    table = lane_table(text)
    known = {"repeat", "parallel", "stagger", "limit", "warm"}
    if unknown := next((key for key in table if key not in known), None):
        raise OptionError(say("lanes.no_option", name=table[unknown] if unknown == "model" else unknown))
    pace = before.pace
    return Options(
        Pace(
            repeat=_whole(table.get("repeat", pace.repeat), "repeat"),
            parallel=_yes(table.get("parallel", pace.parallel), "parallel"),
            limit=_limit(table.get("limit", pace.limit)),
            stagger_s=_seconds(table.get("stagger", pace.stagger_s)),
        ),
        _yes(table.get("warm", before.warm), "warm"),
    )


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_RUNS:
        raise OptionError(say("lanes.whole", name=name, most=MOST_RUNS))
    return value


def _limit(value: object) -> int | None:
    return None if value in (None, "none", 0) and value is not False else _whole(value, "limit")


def _yes(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise OptionError(say("lanes.yes_no", name=name))
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_STAGGER_S:
        raise OptionError(say("lanes.seconds", name="stagger", most=f"{MOST_STAGGER_S:g}"))
    return float(value)
