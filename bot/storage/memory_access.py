"""Strangers, groups, the audit log and personal data in memory. Same contracts as SQLite."""

import dataclasses
from typing import Any

from bot.model.access import FORGOTTEN, Change, Group, Rows, Standing, Stranger
from bot.storage.memory import MemoryMemberStore


class MemoryStrangerStore:
    """The `StrangerStore` port."""

    def __init__(self) -> None:
        self.known: dict[str, Stranger] = {}

    async def put(self, stranger: Stranger) -> None:
        self.known[stranger.user] = stranger

    async def drop(self, user: str) -> bool:
        return self.known.pop(user, None) is not None

    async def all(self) -> list[Stranger]:
        return sorted(self.known.values(), key=lambda s: (s.asked_ms, s.user))

    async def prune(self, *, before_ms: int, keep: int) -> int:
        n = len(self.known)
        kept = [s for s in await self.all() if s.asked_ms >= before_ms or s.standing is Standing.BLOCKED]
        self.known = {s.user: s for s in kept[max(0, len(kept) - keep) :]}
        return n - len(self.known)


class MemoryGroupStore:
    """The `GroupStore` port."""

    def __init__(self) -> None:
        self.known: dict[str, Group] = {}

    async def put(self, group: Group) -> None:
        self.known[group.chat] = group

    async def drop(self, chat: str) -> bool:
        return self.known.pop(chat, None) is not None

    async def all(self) -> list[Group]:
        return sorted(self.known.values(), key=lambda g: (g.since_ms, g.chat))

    def moved(self, old: str, new: str) -> None:
        """A chat became another."""
        if (group := self.known.pop(old, None)) is not None:
            self.known[new] = dataclasses.replace(group, chat=new)


class MemoryAuditLog:
    """The `AuditLog` port."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def add(self, change: Change) -> None:
        self.changes.append(change)

    async def latest(self, limit: int, offset: int = 0) -> list[Change]:
        ordered = sorted(self.changes, key=lambda c: c.at_ms)
        return ordered[::-1][offset : offset + limit]

    async def prune(self, *, before_ms: int) -> int:
        n = len(self.changes)
        self.changes = [c for c in self.changes if c.at_ms >= before_ms]
        return n - len(self.changes)


class MemoryPersonalData:
    """The `PersonalData` port over the stores in memory that know people: members, strangers, groups and the audit log."""

    def __init__(
        self,
        members: MemoryMemberStore,
        strangers: MemoryStrangerStore,
        groups: MemoryGroupStore,
        audit: MemoryAuditLog,
    ) -> None:
        self._members = members
        self._strangers = strangers
        self._groups = groups
        self._audit = audit

    async def export(self, user: str) -> dict[str, Rows]:
        tables: dict[str, list[Any]] = {
            "members": [m for m in await self._members.all() if user in {m.user, m.chat, m.by}],
            "strangers": [s for s in await self._strangers.all() if user in {s.user, s.chat, s.by}],
            "listed_groups": [g for g in await self._groups.all() if g.by == user],
            "audit": [c for c in self._audit.changes if user in {c.user, c.chat, *c.what.split()}],
        }
        return {name: [dataclasses.asdict(one) for one in rows] for name, rows in tables.items() if rows}

    async def forget(self, user: str) -> None:
        await self._members.drop(user)
        await self._strangers.drop(user)
        for member in await self._members.all():
            if member.by == user:
                await self._members.put(dataclasses.replace(member, by=FORGOTTEN))
        for stranger in await self._strangers.all():
            if stranger.by == user:
                await self._strangers.put(dataclasses.replace(stranger, by=FORGOTTEN))
        for group in await self._groups.all():
            if group.by == user:
                await self._groups.put(dataclasses.replace(group, by=FORGOTTEN))
        self._audit.changes = [
            dataclasses.replace(
                c,
                user=FORGOTTEN if c.user == user else c.user,
                chat=FORGOTTEN if c.chat == user else c.chat,
                what=" ".join(FORGOTTEN if word == user else word for word in c.what.split(" ")),
            )
            for c in self._audit.changes
        ]
