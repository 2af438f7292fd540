"""`/delete`: of one, of several, of all that a chat has asked for."""

from collections.abc import Callable
from dataclasses import replace

from bot.chat import alert_pages
from bot.chat.asker import Asker
from bot.chat.commands import Command
from bot.chat.reply import Reply
from bot.clock import Clock
from bot.model.chat_alert import PREFIX, ChatAlert
from bot.model.chat_alert_ports import ChatAlertDesk, ChatAlertStore
from bot.model.chat_rule import PREFIX as RULE_PREFIX
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import ChatRuleDesk


class AlertDeleting:
    """What is deleted can be brought back for a day."""

    def __init__(
        self,
        *,
        store: ChatAlertStore,
        desk: ChatAlertDesk,
        rules: ChatRuleDesk,
        clock: Clock,
        zone_of: Callable[[str], str],
    ) -> None:
        self._store = store
        self._desk = desk
        self._rules = rules
        self._clock = clock
        self._zone_of = zone_of

    async def delete(self, command: Command, asker: Asker) -> Reply:
        """`/delete ID…` by the first characters of each, or `/delete all`."""
        if command.words[0] == "all":
            n_meant = int(command.words[2]) if len(command.words) > 2 else None
            return await self._delete_all(asker, is_sure=len(command.words) > 1, n_meant=n_meant)
        gone: dict[str, ChatAlert | ChatRule] = {}
        for typed in command.words:
            found = await self._meant(typed, asker)
            if isinstance(found, Reply):
                return found
            gone[found.id] = found
        for one in gone.values():
            await self.end(one)
        first, zone = next(iter(gone.values())), self._zone_of(asker.chat)
        if len(gone) == 1:
            return noted(alert_pages.deleted(first, zone), "deleted", first, asker)
        others = [one for one in gone.values() if one.user != asker.user]
        reply = alert_pages.deleted_several(list(gone.values()), zone)
        return replace(reply, did=f"deleted {', '.join(one.id for one in others)} in {asker.chat}") if others else reply

    async def _meant(self, typed: str, asker: Asker) -> ChatAlert | ChatRule | Reply:
        """The one that may be deleted and whose id begins so."""
        found: list[ChatAlert | ChatRule] = [
            *(r for r in self._rules.of_chat(asker.chat) if r.id.removeprefix(RULE_PREFIX).startswith(typed)),
            *await self._store.find(asker.chat, PREFIX + typed, limit=2),
        ]
        if not found:
            return alert_pages.not_found(typed)
        if len(found) > 1:
            return alert_pages.ambiguous(typed, found)
        return found[0] if asker.may_change(found[0].user) else alert_pages.not_yours()

    async def _delete_all(self, asker: Asker, *, is_sure: bool, n_meant: int | None) -> Reply:
        """`n_meant`: how many there were when it was asked; with more or fewer by now it is asked again."""
        # A lowered limit may have left more than may be made now.
        plain = await self._store.of_chat(asker.chat, limit=max(1, await self._store.count(asker.chat)))
        here: list[ChatAlert | ChatRule] = [*self._rules.of_chat(asker.chat), *plain]
        if not here:
            return alert_pages.none_yet()
        gone = [alert for alert in here if asker.may_change(alert.user)]
        if gone and (not is_sure or n_meant not in {None, len(gone)}):
            return alert_pages.sure(len(gone))
        for alert in gone:
            await self.end(alert)
        reply = alert_pages.deleted_all(len(gone), len(here) - len(gone))
        n_others = sum(a.user != asker.user for a in gone)
        return replace(reply, did=f"deleted {n_others} alerts of others in {asker.chat}") if n_others else reply

    async def end(self, alert: ChatAlert | ChatRule, *, at_ms: int | None = None) -> None:
        """It lives no longer. `at_ms`: wall time, now where none is given."""
        if isinstance(alert, ChatRule):
            await self._rules.remove(alert.id)
            return
        await self._store.delete(alert.id, at_ms=self._clock.wall_ms() if at_ms is None else at_ms)
        self._desk.remove(alert.id)


def noted(reply: Reply, did: str, alert: ChatAlert | ChatRule, asker: Asker) -> Reply:
    """For the audit log, where it is somebody else's."""
    return (
        reply if alert.user == asker.user else replace(reply, did=f"{did} {alert.id} of {alert.user} in {alert.chat}")
    )
