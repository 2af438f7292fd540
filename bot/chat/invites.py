"""Letting somebody in by a link: `oibot invite` prints it, `/invite` gives it to the owner in private.

The code is 128 random bits, counts once and for a day; only its hash is stored, and it is never logged. It is taken in
private chats alone.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from bot.chat.asker import Asker
from bot.chat.claims import CODE_BYTES, digest_of
from bot.clock import Clock
from bot.model.members import Code, Member, MemberStore, Redeemed, Role
from bot.texts import mark

KIND: Final = "invite"
LIFE_MS: Final = 86_400_000
_SHOWN: Final = re.compile(r"/start(?:@\w+)?\s+inv_([\w-]{1,64})", re.ASCII)

WRONG: Final = mark("This link opens nothing. Whoever sent it can make another.")
EXPIRED: Final = mark("This link has been used, or is older than a day. Whoever sent it can make another.")
CLOSED: Final = mark("Too many wrong links were opened lately, so none is taken for an hour.")


def shown_invite(text: str) -> str | None:
    """The code in what somebody wrote by opening a link; None where it is no such message."""
    found = _SHOWN.fullmatch(text.strip())
    return None if found is None else found[1]


def invite_link(bot_name: str, code: str) -> str:
    """What to open."""
    return f"https://t.me/{bot_name}?start=inv_{code}"


@dataclass(frozen=True, slots=True)
class Invites:
    """Issues invitations and takes them."""

    store: MemberStore
    clock: Clock

    async def issue(self, role: Role, *, by: str = "") -> str:
        """A new code beside the others. `by`: who made it; empty for the command line."""
        if role is Role.OWNER:
            raise ValueError("an invitation makes no owner; a claim does")
        code, now_ms = secrets.token_urlsafe(CODE_BYTES), self.clock.wall_ms()
        stored = Code(digest_of(code), KIND, role, now_ms, now_ms + LIFE_MS, by=by)
        await self.store.put_code(stored, alone=False)
        return code

    async def redeem(self, code: str, asker: Asker) -> tuple[Redeemed, Member]:
        """Show a code in the private chat of that person; the member as stored where it was taken."""
        now_ms = self.clock.wall_ms()
        guest = Member(asker.user, Role.VIEWER, asker.chat, asker.name[:100], now_ms)
        return await self.store.redeem(digest_of(code), KIND, guest, now_ms=now_ms), guest
