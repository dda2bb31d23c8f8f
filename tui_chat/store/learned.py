"""What was learned about endpoints, in memory and written through to state.toml.

It is called in the middle of a stream: a disk that fails costs the memory of the fact, never the reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.failure import StoreError
from tui_chat.store.state import load_state, remember_refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.events import Learned


class LearnedFacts:
    """The engine's Knowledge. `problems` collects one line for each write that failed."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        state = load_state(env)
        self._refused = dict(state.refused)
        self.problems = list(state.problems)

    def refused(self, endpoint: str, model: str) -> frozenset[str]:
        """The request parameters that `endpoint` is known to refuse for `model`."""
        return self._refused.get((endpoint, model), frozenset())

    def learn(self, fact: Learned) -> None:
        """Remember a refusal; a fact that is known already costs nothing. Never raises for the disk's sake."""
        place = (fact.endpoint, fact.model)
        known = self.refused(*place)
        if fact.refused in known:
            return
        self._refused[place] = known | {fact.refused}
        try:
            state = remember_refused(self._env, {place: self._refused[place]})
        except StoreError as error:
            self.problems.append(str(error))
            return
        self.problems += state.problems
        self._take(state.refused)

    def _take(self, refused: Mapping[tuple[str, str], frozenset[str]]) -> None:
        """Add what other instances wrote meanwhile; nothing learned here is lost to a file that was begun anew."""
        for place, parameters in refused.items():
            self._refused[place] = self.refused(*place) | parameters
