"""Lanes and votes as rows. Every function works on an open connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.lane import Tally, Verdict
from tui_chat.store.nodes import encode
from tui_chat.wire.forms import LaneForm, SettingsForm, VoteForm, settings_of
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from tui_chat.domain.lane import Vote

VERDICTS = frozenset(Verdict)


def lane_forms(c: sqlite3.Connection, conversation: int) -> list[LaneForm]:
    query = (
        "SELECT uid, label, endpoint, model, settings, head, synced, note FROM lanes"
        " WHERE conversation = ? ORDER BY place, uid"
    )
    return [
        LaneForm(
            id=uid,
            label=label,
            endpoint=endpoint,
            model=model,
            settings=SettingsForm.of(settings_of(settings)),
            head=head,
            synced=bool(synced),
            note=note,
        )
        for uid, label, endpoint, model, settings, head, synced, note in c.execute(query, (conversation,))
    ]


def replace_lanes(c: sqlite3.Connection, conversation: int, lanes: Iterable[LaneForm]) -> None:
    """Have these be the lanes of a conversation, in this order."""
    c.execute("DELETE FROM lanes WHERE conversation = ?", (conversation,))
    for place, lane in enumerate(lanes):
        put_lane(c, conversation, place, lane)


def put_lane(c: sqlite3.Connection, conversation: int, place: int, lane: LaneForm, *, new: bool = False) -> None:
    """Write a lane; with `new`, only where there is none of its name."""
    c.execute(
        f"INSERT OR {'IGNORE' if new else 'REPLACE'} INTO lanes"
        " (conversation, uid, place, label, endpoint, model, settings, head, synced, note)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            conversation,
            well_formed(lane.id),
            place,
            well_formed(lane.label),
            well_formed(lane.endpoint),
            well_formed(lane.model),
            encode(lane.settings),
            None if lane.head is None else well_formed(lane.head),
            int(lane.synced),
            well_formed(lane.note),
        ),
    )


def vote_forms(c: sqlite3.Connection, conversation: int) -> list[VoteForm]:
    query = (
        "SELECT round, lane, verdict, at, endpoint, model, settings FROM votes"
        " WHERE conversation = ? ORDER BY at, round, lane"
    )
    return [
        VoteForm(
            round=round,
            lane=lane,
            verdict=Verdict(verdict),
            at=at,
            endpoint=endpoint,
            model=model,
            settings=SettingsForm.of(settings_of(settings)),
        )
        for round, lane, verdict, at, endpoint, model, settings in c.execute(query, (conversation,))
        if verdict in VERDICTS
    ]


def vote_form(vote: Vote) -> VoteForm:
    return VoteForm(
        round=vote.round,
        lane=vote.lane,
        verdict=vote.verdict,
        at=vote.at,
        endpoint=vote.endpoint,
        model=vote.model,
        settings=SettingsForm.of(vote.settings),
    )


def put_votes(c: sqlite3.Connection, conversation: int, votes: Iterable[VoteForm]) -> None:
    """Write what was said of a round, in place of what was said of it before."""
    votes = list(votes)
    for round in {vote.round for vote in votes}:
        c.execute("DELETE FROM votes WHERE conversation = ? AND round = ?", (conversation, round))
    for vote in votes:
        put_vote(c, conversation, vote)


def put_vote(c: sqlite3.Connection, conversation: int, vote: VoteForm, *, new: bool = False) -> None:
    """Write a vote; with `new`, only where none was cast on this lane in this round."""
    c.execute(
        f"INSERT OR {'IGNORE' if new else 'REPLACE'} INTO votes"
        " (conversation, round, lane, verdict, at, endpoint, model, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            conversation,
            well_formed(vote.round),
            well_formed(vote.lane),
            vote.verdict.value,
            vote.at,
            well_formed(vote.endpoint),
            well_formed(vote.model),
            encode(vote.settings),
        ),
    )


def tally(c: sqlite3.Connection) -> list[Tally]:
    """The votes of all conversations that are not deleted, by model and settings; the most wins first."""
    query = (
        "SELECT v.endpoint, v.model, v.settings, sum(verdict = 'won') AS won, sum(verdict = 'lost') AS lost,"
        " sum(verdict = 'tied') FROM votes v JOIN conversations c ON c.id = v.conversation WHERE c.deleted IS NULL"
        " GROUP BY v.endpoint, v.model, v.settings ORDER BY won DESC, lost, v.endpoint, v.model, v.settings"
    )
    return [
        Tally(endpoint, model, settings_of(settings), won, lost, tied)
        for endpoint, model, settings, won, lost, tied in c.execute(query)
    ]
