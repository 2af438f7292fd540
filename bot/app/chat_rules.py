"""The `ChatRuleDesk` port: conditions of chats become rules that watch beside those of the files.

They are told in their chat alone. A recording gets them as files of their own, so that a replay has them too.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from bot import log
from bot.app.conditions import rule_of
from bot.app.extra_rules import ExtraRules
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.errors import StorageError
from bot.model.alert import State
from bot.model.chat_alert_ports import ChatAlertDesk, ChatAlertStore
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import ChatRuleStore, RuleLife
from bot.rules.schema import Rule
from bot.texts import mark

SOURCE: Final = "chat"

_log = log.get("chat")


async def open_chat_rules(store: ChatRuleStore, clock: Clock, extra: ExtraRules) -> "ChatRules":
    """With all that is stored, which watches from now on."""
    found = ChatRules(
        store=store,
        rules=await store.all(),
        clock=clock,
        watch=lambda rules: extra.put(SOURCE, rules),
        make=lambda one: extra.sound(rule_of(one)),
    )
    found.begin()
    return found


class ChatRules:
    """One per bot. `rules` are all that is stored."""

    def __init__(
        self,
        *,
        store: ChatRuleStore,
        rules: Sequence[ChatRule],
        clock: Clock,
        watch: Callable[[Sequence[Rule]], None],
        make: Callable[[ChatRule], Rule] = rule_of,
    ) -> None:
        """`watch`: these rules watch from the next tick on, in the place of those that it was given before. `make`: the rule that
        a condition is; raises `ValueError` where it cannot watch.
        """
        self._store = store
        self._rules = {rule.id: rule for rule in rules}
        self._clock = clock
        self._watch, self._make = watch, make
        self.engine: Engine | None = None
        """Set once there is one; asked where alerts stand."""

    def begin(self) -> None:
        """Let all that is stored watch. One that cannot watch any more stays stored and silent."""
        self._changed()

    def _changed(self) -> None:
        found = []
        for one in self._rules.values():
            try:
                found.append(self._make(one))
            except ValueError as error:
                _log.error("chat_rule.unreadable", rule=one.id, reason=str(error))
        self._watch(found)

    def chat_moved(self, old: int, new: int) -> None:
        """A group has another number; the store is told by `ChatMoves`."""
        before, after = f"telegram:{old}", f"telegram:{new}"
        moved = {r.id: dataclasses.replace(r, chat=after) for r in self._rules.values() if r.chat == before}
        if moved:
            self._rules |= moved
            self._changed()

    # -- the port ------------------------------------------------------------------------------------------------

    def of_chat(self, chat: str) -> Sequence[ChatRule]:
        return [rule for rule in self._rules.values() if rule.chat == chat]

    def count(self) -> int:
        return len(self._rules)

    async def add(self, rule: ChatRule) -> bool:
        """As the port says. It is tried first, so that nothing is stored that cannot watch; `ValueError` says why."""
        if rule.id in self._rules:
            return False
        self._make(rule)
        self._rules[rule.id] = rule
        is_stored = False
        try:
            self._changed()
            is_stored = await self._store.add(rule)
        finally:
            if not is_stored:
                del self._rules[rule.id]
                self._changed()
        return is_stored

    async def remove(self, rule_id: str) -> None:
        await self._store.delete(rule_id, at_ms=self._clock.wall_ms())
        if self._rules.pop(rule_id, None) is not None:
            self._changed()

    async def restore(self, chat: str, rule_id: str, *, user: str | None = None) -> ChatRule | None:
        rule = await self._store.restore(chat, rule_id, user=user)
        if rule is not None:
            self._rules[rule.id] = rule
            self._changed()
        return rule

    def life(self, rule_id: str) -> RuleLife:
        engine = self.engine
        book = None if engine is None else engine.book(rule_id)
        if engine is None or book is None:
            return RuleLife()
        names = engine.market.universe
        firing = [names.at(row) for row in book.rows_in(State.FIRING)]
        rule = next((r for r in engine.rules if r.id == rule_id), None)
        members = None if rule is None else engine.members(rule)
        return RuleLife(
            tuple(one.key for one in firing if one is not None),
            len(book.rows_in(State.PENDING)),
            None if members is None else int(members.sum()),
        )

    def ended(self, now_ms: int) -> Sequence[str]:
        """Ids of those whose time is over at that wall time."""
        return [rule.id for rule in self._rules.values() if rule.ends_ms is not None and rule.ends_ms <= now_ms]


OVER: Final = mark("its time is over")
EVERY_S: Final = 10.0
BATCH: Final = 200


class Endings:
    """Lets what was asked for until a time end by itself."""

    def __init__(self, *, store: ChatAlertStore, desk: ChatAlertDesk, rules: ChatRules, clock: Clock) -> None:
        self._store = store
        self._desk = desk
        self._rules = rules
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except StorageError as error:
                _log.warning("endings.not_read", reason=str(error))
            await self._clock.sleep(EVERY_S)

    async def look(self) -> None:
        """End what is over now."""
        now_ms = self._clock.wall_ms()
        while over := await self._store.ended(now_ms, limit=BATCH):
            for alert in over:
                await self._store.delete(alert.id, at_ms=now_ms)
                self._desk.remove(alert.id, OVER)
        for rule_id in self._rules.ended(now_ms):
            await self._rules.remove(rule_id)
