"""Waiting for somebody to open a claim link, where no bot runs that would take it: a poll of its own.

Updates of others that come meanwhile are confirmed and dropped; the bot was not there to answer them.
"""

from typing import Any, Final

from telegram import Update

from bot.chat.access import Gate
from bot.chat.claims import Claims, answer_to, shown_code
from bot.chat.commands import clean
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_dispatch import incoming_of
from bot.chat.telegram_failure import Failure, Kind
from bot.clock import Clock
from bot.model.members import Member, Redeemed

POLL_S: Final = 10.0
PAUSE_S: Final = 3.0
_FINAL: Final = frozenset({Kind.CONFLICT, Kind.UNAUTHORIZED, Kind.NOT_FOUND})


class ClaimPoll:
    """Polls one bot until somebody has become its owner."""

    def __init__(self, *, client: TelegramClient, claims: Claims, clock: Clock) -> None:
        self._client = client
        self._claims = claims
        self._clock = clock
        self._gate = Gate(owner_id=None, chat_ids=())
        self._offset = 0
        self.trouble = ""
        """Why the last poll failed, for people; empty when it did not."""

    async def wait(self) -> Member | Failure:
        """The new owner, or what makes waiting useless: another who polls, a refused token. Ends with the caller's
        deadline otherwise.
        """
        while True:
            poll_s = max(1, round(POLL_S / self._clock.speed))
            raw = await self._client.get_updates(self._offset, poll_s=poll_s)
            if isinstance(raw, Failure):
                if raw.kind in _FINAL:
                    return raw
                self.trouble = raw.text
                if raw.kind is Kind.WEBHOOK:
                    await self._client.delete_webhook()
                await self._clock.sleep(max(PAUSE_S, raw.retry_after_s))
                continue
            self.trouble = ""
            for item in raw:
                owner = await self._take(item)
                if owner is not None:
                    await self._client.get_updates(self._offset, poll_s=0)
                    return owner

    async def _take(self, item: Any) -> Member | None:
        number = item.get("update_id") if isinstance(item, dict) else None
        if not isinstance(number, int):
            return None
        self._offset = max(self._offset, number + 1)
        try:
            update = Update.de_json(item, self._client.bot)
        except Exception:  # noqa: BLE001 - one update of who knows whom; it is not the one we wait for
            return None
        message = update.message
        code = shown_code(message.text or "") if message is not None else None
        if message is None or code is None or message.from_user is None:
            return None
        incoming, user, now_ms = incoming_of(message), message.from_user, self._clock.wall_ms()
        if incoming.is_odd or not incoming.is_private or not self._gate.may_knock(user.id, user.id, now_ms=now_ms):
            return None
        redeemed, member = await self._claims.redeem(code, user_id=user.id, name=clean(user.full_name))
        await self._client.send(message.chat.id, answer_to(redeemed))
        return member if redeemed is Redeemed.TAKEN else None
