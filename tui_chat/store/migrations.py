"""The schema of the database, as the steps that lead to it; `user_version` says how many have been taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.fold_version import FOLD_VERSION

if TYPE_CHECKING:
    import sqlite3

STEPS = (
    (
        # `uid` is the name that people and files use. Times are epoch seconds.
        """
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL DEFAULT '',
            titled INTEGER NOT NULL DEFAULT 0,
            titling TEXT,
            created REAL NOT NULL,
            updated REAL NOT NULL,
            pinned INTEGER NOT NULL DEFAULT 0,
            deleted REAL,
            draft TEXT NOT NULL DEFAULT '',
            queue TEXT NOT NULL DEFAULT '[]',
            source TEXT,
            endpoint TEXT,
            model TEXT,
            settings TEXT NOT NULL DEFAULT '{}',
            turns INTEGER NOT NULL DEFAULT 0,
            models TEXT NOT NULL DEFAULT '[]',
            cost TEXT,
            state TEXT
        )
        """,
        "CREATE INDEX conversations_order ON conversations (pinned DESC, updated DESC)",
        "CREATE INDEX conversations_updated ON conversations (updated DESC)",
        "CREATE INDEX conversations_created ON conversations (created)",
        "CREATE INDEX conversations_deleted ON conversations (deleted) WHERE deleted IS NOT NULL",
        "CREATE INDEX conversations_interrupted ON conversations (updated DESC) WHERE state = 'interrupted'",
        "CREATE INDEX conversations_unsent ON conversations (updated DESC) WHERE turns = 0",
        # The id of a node is the tenth of a second of its making, or the next free one: so the order of rows, here and
        # in the index of the search, is that of time, also for what was imported. What is long comes last: what stands
        # behind it costs reading it.
        """
        CREATE TABLE nodes (
            id INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
            parent INTEGER REFERENCES nodes DEFERRABLE INITIALLY DEFERRED,
            role TEXT NOT NULL,
            created REAL NOT NULL,
            endpoint TEXT NOT NULL DEFAULT '',
            model TEXT NOT NULL DEFAULT '',
            state TEXT,
            in_chat INTEGER NOT NULL DEFAULT 0,
            indexed INTEGER NOT NULL DEFAULT 0,
            cost TEXT,
            result TEXT,
            text TEXT NOT NULL,
            reasoning TEXT NOT NULL DEFAULT ''
        )
        """,
        "CREATE INDEX nodes_conversation ON nodes (conversation, role, state, cost, model)",
        "CREATE INDEX nodes_parent ON nodes (parent)",
        "CREATE INDEX nodes_unindexed ON nodes (conversation) WHERE indexed = 0",
        # `owner` is the instance in which the run is under way; null once it has ended.
        """
        CREATE TABLE runs (
            uid TEXT PRIMARY KEY,
            node INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
            owner TEXT,
            began REAL NOT NULL,
            endpoint TEXT NOT NULL,
            dialect TEXT NOT NULL,
            model TEXT NOT NULL,
            settings TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX runs_node ON runs (node)",
        "CREATE INDEX runs_under_way ON runs (owner) WHERE owner IS NOT NULL",
        """
        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY,
            node INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
            run TEXT NOT NULL,
            form TEXT NOT NULL
        )
        """,
        "CREATE INDEX attempts_node ON attempts (node)",
        # What has come of a run under way; with its end it is in the node and no longer here.
        """
        CREATE TABLE pieces (
            run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            seam INTEGER NOT NULL,
            text TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            PRIMARY KEY (run, seq)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE openings (
            conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
            instance TEXT NOT NULL,
            PRIMARY KEY (conversation, instance)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE learned (
            endpoint TEXT NOT NULL,
            model TEXT NOT NULL,
            fact TEXT NOT NULL,
            value TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (endpoint, model, fact, value)
        ) WITHOUT ROWID
        """,
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # `domain.folding` makes the words; here they are told apart by their spaces.
        "CREATE VIRTUAL TABLE search USING"
        " fts5(words, facets, content='', columnsize=0, prefix='3 4', tokenize=\"ascii tokenchars '_'\")",
        # Merging segments less often keeps the writing of one turn short.
        "INSERT INTO search (search, rank) VALUES ('automerge', 8)",
        f"INSERT INTO facts VALUES ('folding', '{FOLD_VERSION}')",
    ),
    (
        # A sum of costs says whether a part of it is an estimate.
        "ALTER TABLE conversations ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE nodes ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0",
        'UPDATE nodes SET estimated = 1 WHERE cost IS NOT NULL AND result LIKE \'%"source":"estimated"%\'',
        "UPDATE conversations SET estimated = 1"
        " WHERE id IN (SELECT conversation FROM nodes WHERE cost IS NOT NULL AND estimated)",
        "DROP INDEX nodes_conversation",
        "CREATE INDEX nodes_conversation ON nodes (conversation, role, state, cost, estimated, model)",
    ),
    (
        # What was spent, by quarters of an hour: midnight is the end of one in every time zone. It stays when a
        # conversation goes. What was spent lately is taken over; the id of a node is the tenth of a second.
        "CREATE TABLE spending (quarter INTEGER PRIMARY KEY, usd TEXT NOT NULL)",
        "INSERT INTO spending SELECT id / 9000, printf('%.12f', sum(CAST(cost AS REAL))) FROM nodes"
        " WHERE id > (strftime('%s', 'now') - 172800) * 10 AND cost IS NOT NULL GROUP BY id / 9000",
    ),
    (
        # Comparisons. A run belongs to a lane, and is one of its repeats; those of the chat belong to none.
        "ALTER TABLE runs ADD COLUMN lane TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN repeat INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE lanes (
            conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
            uid TEXT NOT NULL,
            place INTEGER NOT NULL,
            label TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            model TEXT NOT NULL,
            settings TEXT NOT NULL,
            head TEXT,
            synced INTEGER NOT NULL,
            note TEXT NOT NULL,
            PRIMARY KEY (conversation, uid)
        ) WITHOUT ROWID
        """,
        # The settings are those of the round, whatever becomes of the lane's.
        """
        CREATE TABLE votes (
            conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
            round TEXT NOT NULL,
            lane TEXT NOT NULL,
            verdict TEXT NOT NULL,
            at REAL NOT NULL,
            endpoint TEXT NOT NULL,
            model TEXT NOT NULL,
            settings TEXT NOT NULL,
            PRIMARY KEY (conversation, round, lane)
        ) WITHOUT ROWID
        """,
    ),
    (
        # Each program writes its own sums, so that what it reads are those of the others; '' stands for all before.
        "ALTER TABLE spending RENAME TO spending_of_all",
        "CREATE TABLE spending (quarter INTEGER, program TEXT, usd TEXT NOT NULL, PRIMARY KEY (quarter, program))"
        " WITHOUT ROWID",
        "INSERT INTO spending SELECT quarter, '', usd FROM spending_of_all",
        "DROP TABLE spending_of_all",
    ),
    (
        # What the tries have used, for sums: `store.usage` fills it from them. Costs are millionths of a millionth of a
        # dollar; one that these cannot hold is in `odd_usd`.
        """
        CREATE TABLE usage (
            attempt INTEGER PRIMARY KEY REFERENCES attempts ON DELETE CASCADE,
            node INTEGER NOT NULL,
            first INTEGER NOT NULL,
            at REAL NOT NULL,
            endpoint TEXT NOT NULL,
            model TEXT NOT NULL,
            failed INTEGER NOT NULL,
            input INTEGER,
            cached INTEGER,
            cache_write INTEGER,
            cache_write_1h INTEGER,
            reasoning INTEGER,
            output INTEGER,
            exact INTEGER NOT NULL,
            usd INTEGER,
            odd_usd TEXT,
            estimated INTEGER NOT NULL,
            ttft_s REAL,
            tok_per_s REAL
        )
        """,
        "CREATE INDEX usage_at ON usage (at)",
        "CREATE INDEX usage_node ON usage (node)",
    ),
    (
        # A sum of what was spent says whether a part of it is an estimate.
        "ALTER TABLE spending ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0",
    ),
)
VERSION = len(STEPS)


class TooNew(Exception):
    """The file has taken steps that are not known here."""

    def __init__(self, found: int) -> None:
        super().__init__(found)
        self.found = found


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that are left, each in a transaction. Raises TooNew, sqlite3.Error."""
    while (at := version(connection)) != VERSION:
        if at > VERSION:
            raise TooNew(at)
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another instance may have been faster.
            if version(connection) == at:
                for statement in STEPS[at]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {at + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
