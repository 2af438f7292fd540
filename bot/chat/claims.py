"""Making somebody the owner by a link: `oibot init` and `oibot claim` print it, whoever opens it first becomes the owner.

The code is 128 random bits, lives a quarter of an hour and opens once; only its hash is stored, and it is never logged. It is
taken in private chats alone, where nobody reads along.
"""

import hashlib
import re
import secrets
from typing import Final

from bot import log
from bot.chat.asker import in_telegram
from bot.chat.reply import BLANK, Reply, bold, line
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.access import AuditLog, Change
from bot.model.members import Code, Member, MemberStore, Redeemed, Role
from bot.texts import mark, say

KIND: Final = "claim"
LIFE_MS: Final = 900_000
CODE_BYTES: Final = 16
_SHOWN = re.compile(r"/start(?:@\w+)?\s+claim_([\w-]{1,64})", re.ASCII)

_ANSWERS: Final = {
    Redeemed.WRONG: mark("This link opens nothing. On the bot's machine, oibot claim prints one that does."),
    Redeemed.EXPIRED: mark(
        "This link has been used, replaced, or is older than 15 minutes. On the bot's machine, oibot claim "
        "prints a new one."
    ),
    Redeemed.CLOSED: mark(
        "Too many wrong links were opened lately, so none is taken for an hour. On the bot's machine, "
        "oibot claim prints one that is."
    ),
}


_log = log.get("chat.claims")


def shown_code(text: str) -> str | None:
    """The code in what somebody wrote by opening a link; None where it is no such message."""
    found = _SHOWN.fullmatch(text.strip())
    return None if found is None else found[1]


def link_of(bot_name: str, code: str) -> str:
    """What to open."""
    return f"https://t.me/{bot_name}?start=claim_{code}"


class Claims:
    """Issues claim codes and takes them."""

    def __init__(self, store: MemberStore, clock: Clock, audit: AuditLog | None = None) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit

    async def issue(self) -> str:
        """A new code; earlier ones are void."""
        code, now_ms = secrets.token_urlsafe(CODE_BYTES), self._clock.wall_ms()
        await self._store.put_code(Code(digest_of(code), KIND, Role.OWNER, now_ms, now_ms + LIFE_MS), alone=True)
        return code

    async def redeem(self, code: str, *, user_id: int, name: str) -> tuple[Redeemed, Member]:
        """Show a code in the private chat of that person; the owner where it was taken."""
        now_ms = self._clock.wall_ms()
        asker = in_telegram(user_id, user_id, is_owner=True)
        claimer = Member(asker.user, Role.OWNER, asker.chat, name[:100], now_ms)
        redeemed = await self._store.redeem(digest_of(code), KIND, claimer, now_ms=now_ms)
        if redeemed is Redeemed.TAKEN and self._audit is not None:
            try:
                await self._audit.add(Change(now_ms, asker.user, asker.chat, "became the owner by a link"))
            except StorageError as error:
                # What was done stands, whether it can be noted or not.
                _log.error("audit.unstored", by=asker.user, reason=str(error))
        return redeemed, claimer

    async def owner(self) -> Member | None:
        return await self._store.owner()


def digest_of(code: str) -> str:
    """What is stored of a code."""
    return hashlib.sha256(code.encode()).hexdigest()


def answer_to(redeemed: Redeemed) -> Reply:
    """What the person is told who opened a link."""
    if redeemed is not Redeemed.TAKEN:
        return Reply((line(say(_ANSWERS[redeemed])),))
    return Reply(
        (
            line(bold(say("You are my owner now."))),
            BLANK,
            line(say("Alerts come to this chat, and I answer you here: /help shows what I can do.")),
        )
    )


def already() -> Reply:
    return Reply((line(say("You are my owner already. /help shows what I can do.")),))


def not_now() -> Reply:
    return Reply((line(say("I cannot store that now. The log of the bot says why; open the link again in a minute.")),))
