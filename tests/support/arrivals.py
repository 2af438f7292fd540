"""What arrived in the chats, compared with what was to be told: a total queue in the style of Jepsen.

A committed firing is an *enqueue* for each of its destinations, its short id in a new message a *dequeue*.

- lost: committed for a healthy destination, never seen there;
- unexpected: seen, never committed;
- duplicated: seen in more than one new message; each of these counts;
- recovered: its outcome was unknown to the bot (killed, or no answer), and it was seen.

The order in each chat is checked too: an alert's firing before its updates, its end last, no end without a firing.
"""

import contextlib
import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.model.alert import short_id
from bot.sim.chat_log import Happening, What

SHORT_ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})\b")
END = "✅"
SCORECARD = "📊"
UPDATE = re.compile(r" now .+\(was |: still, after ")

Pair = tuple[str, str]
"""A destination and a short id."""


@dataclass(frozen=True)
class Committed:
    """What the database says."""

    fired: frozenset[str]
    """Short ids of all firings."""
    wanted: frozenset[Pair]
    """Firings that were to be told, and where."""
    buried: frozenset[Pair] = frozenset()
    """Given up, with a reason."""


@dataclass(frozen=True)
class Verdict:
    """What became of everything."""

    n_wanted: int
    lost: frozenset[Pair]
    unexpected: frozenset[Pair]
    duplicated: Mapping[Pair, int]
    """How often too much."""
    recovered: frozenset[Pair]
    disorder: tuple[str, ...]
    """Sentences about messages in the wrong order."""

    @property
    def n_duplicates(self) -> int:
        return sum(self.duplicated.values())

    def __str__(self) -> str:
        return (
            f"wanted {self.n_wanted}, lost {len(self.lost)}, unexpected {len(self.unexpected)}, "
            f"duplicates {self.n_duplicates}, recovered {len(self.recovered)}, out of order {len(self.disorder)}"
        )


def committed(path: Path, *, before_ms: int | None = None) -> Committed:
    """Read a bot's database; with `before_ms`, only what was committed as of that venue time is wanted."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        fired = database.execute("SELECT key FROM transitions WHERE state = 'firing'").fetchall()
        rows = database.execute("SELECT key, destination, state, created_ms FROM outbox WHERE kind = 'fire'").fetchall()
    limit_ms = float("inf") if before_ms is None else before_ms
    return Committed(
        frozenset(short_id(key) for (key,) in fired),
        frozenset(
            (where, short_id(key)) for key, where, state, at_ms in rows if state != "buried" and at_ms < limit_ms
        ),
        frozenset((where, short_id(key)) for key, where, state, _ in rows if state == "buried"),
    )


@dataclass
class _Chat:
    """What one destination saw of its alerts so far."""

    told: Counter = field(default_factory=Counter)
    ended: set[str] = field(default_factory=set)


def judge(
    wanted: Committed,
    happenings: Iterable[Happening],
    destinations: Mapping[tuple[str, str], str],
    *,
    unknown: Iterable[Pair] = (),
) -> Verdict:
    """Compare.

    Args:
        wanted: What was committed.
        happenings: What people saw, in order.
        destinations: The destination's name of each (service, chat); other chats are not looked at.
        unknown: Firings whose sending had an outcome that the bot could not know.
    """
    chats: dict[str, _Chat] = defaultdict(_Chat)
    disorder: list[str] = []
    for seen in happenings:
        where = destinations.get((seen.service, seen.chat))
        if where is not None:
            _take(chats[where], where, seen, disorder)
    arrived = {(where, one) for where, chat in chats.items() for one in chat.told}
    updates_without = {(where, one) for where, chat in chats.items() for one in chat.ended if one not in chat.told}
    disorder += [f"{where}: #{one} ended and had never fired" for where, one in sorted(updates_without)]
    return Verdict(
        n_wanted=len(wanted.wanted),
        lost=frozenset(wanted.wanted - arrived),
        unexpected=frozenset((where, one) for where, one in arrived if one not in wanted.fired),
        duplicated={(where, one): n - 1 for where, chat in chats.items() for one, n in chat.told.items() if n > 1},
        recovered=frozenset(set(unknown) & arrived),
        disorder=tuple(disorder),
    )


def _take(chat: _Chat, where: str, seen: Happening, disorder: list[str]) -> None:
    if seen.text.startswith(SCORECARD):
        # It speaks of alerts that are long over, and may come at any time.
        return
    ids = list(dict.fromkeys(SHORT_ID.findall(seen.text)))
    ends = ended_in(seen.text)
    # Webhooks cannot reply: there an update is a new message that says so.
    is_update = seen.reply_to is not None or (
        any(UPDATE.search(row) for row in seen.text.splitlines()[:2]) and all(one in chat.told for one in ids)
    )
    if seen.what is What.NEW and not is_update:
        chat.told.update(ids)
    elif seen.what in {What.NEW, What.EDIT}:
        word = "was updated" if seen.what is What.NEW else "was edited"
        disorder += [f"{where}: #{one} {word} before it fired" for one in ids if one not in chat.told]
        if seen.what is What.NEW:
            disorder += [f"{where}: #{one} was updated after its end" for one in ids if one in chat.ended]
    if seen.what is What.EDIT:
        disorder += [f"{where}: #{one} is no longer ended" for one in ids if one in chat.ended and one not in ends]
    chat.ended |= ends


def ended_in(text: str) -> set[str]:
    """Ids of alerts that a message says are over: its own, or those of its rows."""
    found: set[str] = set()
    for n, row in enumerate(text.splitlines()):
        if row.startswith(END):
            ids = SHORT_ID.findall(row)
            # At the top, perhaps below a title, it speaks of the whole message.
            if n < 2 and not ids:
                return set(SHORT_ID.findall(text))
            found.update(ids)
    return found


def recomputed(lines: Iterable[str]) -> list[dict]:
    """The transitions that `oibot replay` printed."""
    return [json.loads(text) for text in lines if text.startswith("{")]
