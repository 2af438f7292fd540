"""People whom the bot knows, the codes that make strangers known, and the port that keeps both."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

HOUR_MS: Final = 3_600_000
MAX_WRONG: Final = 20
"""Wrong codes within an hour, of all kinds and people together; from then on no code is taken."""


class Role(StrEnum):
    """What somebody may do, from most to least. There is one owner at most."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Member:
    """One person, by a name as `Asker.user` has it: `telegram:71`."""

    user: str
    role: Role
    chat: str
    """Where the person became known, as `Asker.chat` has it."""
    name: str
    """What people call them, as they wrote it themselves; never trusted."""
    since_ms: int
    by: str = ""
    """Who let them in, as a `user`; empty for a claim."""


@dataclass(frozen=True, slots=True)
class Code:
    """A secret that somebody may show, of which only the hash is kept."""

    digest: str
    """SHA-256 of the secret, in hex. The secret is 128 random bits, so that a plain hash is enough."""
    kind: str
    """What it opens: `claim` makes an owner, `invite` lets somebody in."""
    role: Role
    made_ms: int
    expires_ms: int
    """From then on it opens nothing."""
    uses_left: int = 1
    by: str = ""
    """Who made it, as a `user`; empty for the command line."""


class Redeemed(StrEnum):
    """What came of showing a code."""

    TAKEN = "taken"
    WRONG = "wrong"
    """There is no such code, or none any more."""
    EXPIRED = "expired"
    """It was right, but came too late or was used before: whoever shows it has seen the real one."""
    CLOSED = "closed"
    """Too many were wrong lately; right or wrong was not looked at."""


class MemberStore(Protocol):
    """People and codes. Times are wall time in epoch ms."""

    async def put_code(self, code: Code, *, alone: bool) -> None:
        """Store one. With `alone`, those of its kind that were there are void, and wrong tries are forgotten:
        whoever may make such a code opens the door anew.
        """
        ...

    async def redeem(self, digest: str, kind: str, member: Member, *, now_ms: int) -> Redeemed:
        """In one transaction: look, count the use down, and keep the person with the role of the code; or count a wrong
        try. `member.role` and `member.by` are replaced by what the code says. Somebody who has a higher role keeps it.
        A new owner takes the place of the one there was.
        """
        ...

    async def put(self, member: Member) -> None:
        """Keep somebody, in the place of what was known of that `user`; a new owner in the place of the old one."""
        ...

    async def drop(self, user: str) -> bool:
        """Forget somebody; False where there was nobody."""
        ...

    async def all(self) -> Sequence[Member]:
        """The oldest first."""
        ...

    async def owner(self) -> Member | None: ...

    async def prune(self, *, now_ms: int) -> int:
        """Forget codes that expired more than a day ago and wrong tries older than an hour. Returns how many went."""
        ...


RANKS: Final = tuple(Role)
"""From the highest to the lowest."""
EXPIRED_KEPT_MS: Final = 86_400_000
"""How long an expired code is known as such, so that people are told the truth about it."""


def higher(a: Role, b: Role) -> Role:
    """The one that may do more."""
    return min(a, b, key=RANKS.index)
