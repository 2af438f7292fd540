"""Who is answered. Deny by default; decided by numeric user id, never by name.

| who and where | verdict |
|---|---|
| no owner id is set | ignored, everyone |
| another bot, an anonymous admin, a channel post, an edited or forwarded message, inline results | ignored |
| who is blocked | ignored, everywhere |
| who has a role, in private | answered |
| anyone else in a listed chat | answered; what they may do there is for `rights` |
| the owner or an admin in a chat that is not listed | `/join` is answered, all else ignored |
| anyone else in a chat that is not listed | ignored |
| a stranger in private | one polite refusal a day, then ignored |
| a stranger elsewhere | ignored |
| whoever opens a link that makes an owner, in private | decided by `claims`; a wrong one is answered as a stranger is |
| more commands a minute of one user than the role allows, or 60 of one chat | told once, then ignored; messages once a minute and chat |

Pure: time is an argument. All maps are bounded; at the bound the oldest entry goes.
"""

import json
from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from bot.chat.rights import rate_of
from bot.model.access import is_least
from bot.model.members import Role

CHAT_PER_MINUTE: Final = 60
REFUSAL_EVERY_MS: Final = 86_400_000
REFUSALS_PER_HOUR: Final = 30
"""Over all strangers: a crowd must not use up what Telegram lets us send."""
SLOW_DOWN_EVERY_MS: Final = 60_000
"""In one chat: more words about too many words would only be more."""
REPORT_EVERY_MS: Final = 3_600_000
MAX_REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Incoming:
    """What access needs to know about a message or a button press."""

    user_id: int | None
    chat_id: int | None
    is_private: bool
    is_odd: bool = False
    """Sent by a bot or on behalf of a chat, edited, forwarded, a channel post: nothing a person typed here and now."""
    is_join: bool = False
    """Asks to put the chat on the list."""
    is_press: bool = False
    """A button; the answer to it is seen by whoever pressed alone."""


class Verdict(StrEnum):
    """What to do with it."""

    ANSWER = "answer"
    REFUSE = "refuse"
    """Say once that this bot is private."""
    SLOW_DOWN = "slow_down"
    """Say once that it was too much."""
    IGNORE = "ignore"


class Known(Protocol):
    """Whom the bot knows beside the owner and the chats of the settings."""

    def role_of(self, user_id: int) -> Role | None: ...

    def is_blocked(self, user_id: int) -> bool: ...

    def has_group(self, chat_id: int) -> bool: ...


class Nobody:
    """Knows no one."""

    def role_of(self, user_id: int) -> Role | None:  # noqa: ARG002
        return None

    def is_blocked(self, user_id: int) -> bool:  # noqa: ARG002
        return False

    def has_group(self, chat_id: int) -> bool:  # noqa: ARG002
        return False


class Bucket:
    """Tokens that refill evenly; a full bucket allows one burst of its size."""

    __slots__ = ("_at_ms", "_tokens", "is_told", "size", "told_ms")

    def __init__(self, size: int, *, now_ms: float) -> None:
        self.size = size
        self._tokens = float(size)
        self._at_ms = now_ms
        self.is_told = False
        self.told_ms: int | None = None
        """When a message in the chat said so last."""

    def is_told_lately(self, now_ms: int) -> bool:
        return self.told_ms is not None and 0 <= now_ms - self.told_ms < SLOW_DOWN_EVERY_MS

    def refill(self, now_ms: float) -> bool:
        """Return whether there is a token."""
        self._tokens = min(self.size, self._tokens + max(0.0, now_ms - self._at_ms) * self.size / 60_000)
        self._at_ms = now_ms
        return self._tokens >= 1

    def take(self) -> None:
        self._tokens -= 1
        self.is_told = False


class Gate:
    """Decides for one bot. `owner_id` None closes it."""

    def __init__(self, *, owner_id: int | None, chat_ids: Collection[int], known: Known | None = None) -> None:
        """`chat_ids`: those of the settings; a private chat among them makes its person a member."""
        self._owner_id = owner_id
        self._known: Known = known if known is not None else Nobody()
        self._chat_ids = frozenset(chat_ids)
        self._buckets: OrderedDict[tuple[str, int], Bucket] = OrderedDict()
        self._refused_ms: OrderedDict[int, int] = OrderedDict()
        self._ignored: Counter[str] = Counter()
        self._reported_ms: int | None = None

    def follow(self, old: int, new: int) -> None:
        """A listed chat has another number; what stays behind under the old one is nobody's."""
        if old in self._chat_ids:
            self._chat_ids = self._chat_ids - {old} | {new}

    def is_listed(self, chat_id: int) -> bool:
        """Whether the chat is one of ours; the owner's private chat has the owner's id."""
        return (
            chat_id in self._chat_ids
            or (self._owner_id is not None and chat_id == self._owner_id)
            or self._known.has_group(chat_id)
        )

    @property
    def is_open(self) -> bool:
        """Whether there is an owner."""
        return self._owner_id is not None

    def is_owner(self, user_id: int) -> bool:
        return user_id == self._owner_id

    def is_blocked(self, user_id: int) -> bool:
        return not self.is_owner(user_id) and self._known.is_blocked(user_id)

    def role_of(self, user_id: int, chat_id: int | None = None) -> Role | None:
        """What somebody may do, in a chat where it matters; None for strangers, and for everyone while there is no owner."""
        if self._owner_id is None or self.is_blocked(user_id):
            return None
        role = Role.OWNER if self.is_owner(user_id) else self._known.role_of(user_id)
        if role is None and user_id in self._chat_ids:
            return Role.MEMBER
        if role is None and chat_id is not None and chat_id != user_id and self.is_listed(chat_id):
            return Role.VIEWER
        return role

    def decide(self, incoming: Incoming, *, now_ms: int) -> Verdict:
        """Judge one message or press. `now_ms` is wall time, since refusals outlive a restart."""
        if incoming.is_odd or self._owner_id is None or incoming.user_id is None or incoming.chat_id is None:
            return self._ignore("closed" if self._owner_id is None else "odd")
        user_id, chat_id = incoming.user_id, incoming.chat_id
        if self.is_blocked(user_id):
            return self._ignore("blocked")
        role = self.role_of(user_id)
        if incoming.is_private:
            if role is None:
                return self._refuse(user_id, now_ms)
            return self._within_rate(user_id, chat_id, now_ms, is_press=incoming.is_press)
        is_listing = incoming.is_join and is_least(role, Role.ADMIN)
        if is_listing or (chat_id != self._owner_id and self.is_listed(chat_id)):
            return self._within_rate(user_id, chat_id, now_ms, is_press=incoming.is_press)
        return self._ignore("unlisted_chat")

    def _within_rate(self, user_id: int, chat_id: int, now_ms: int, *, is_press: bool) -> Verdict:
        buckets = (
            self._bucket(("user", user_id), rate_of(self.role_of(user_id)), now_ms),
            self._bucket(("chat", chat_id), CHAT_PER_MINUTE, now_ms),
        )
        empty = [bucket for bucket in buckets if not bucket.refill(now_ms)]
        if not empty:
            for bucket in buckets:
                bucket.take()
            return Verdict.ANSWER
        of_chat = buckets[-1]
        is_silent = not is_press and of_chat.is_told_lately(now_ms)
        if is_silent or any(bucket.is_told for bucket in empty):
            return self._ignore("too_fast")
        if not is_press:
            of_chat.told_ms = now_ms
        for bucket in empty:
            bucket.is_told = True
        return Verdict.SLOW_DOWN

    def _bucket(self, key: tuple[str, int], size: int, now_ms: int) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None or bucket.size != size:
            bucket = self._buckets[key] = Bucket(size, now_ms=now_ms)
        self._buckets.move_to_end(key)
        while len(self._buckets) > MAX_REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket

    def may_knock(self, user_id: int, chat_id: int, *, now_ms: int) -> bool:
        """Whether somebody may show a code, of whom nothing else is known: as often as commands are answered."""
        return self._within_rate(user_id, chat_id, now_ms, is_press=True) is Verdict.ANSWER

    def refuse(self, user_id: int, *, now_ms: int) -> Verdict:
        """Whether a stranger who showed a wrong code is told so: once a day, as all strangers."""
        return self._refuse(user_id, now_ms)

    def _refuse(self, user_id: int, now_ms: int) -> Verdict:
        last_ms = self._refused_ms.get(user_id)
        if last_ms is not None and now_ms - last_ms < REFUSAL_EVERY_MS:
            return self._ignore("stranger")
        lately = sum(1 for at_ms in self._refused_ms.values() if now_ms - at_ms < 3_600_000)
        # A full memory stops refusals: forgetting someone could mean to refuse them twice in a day.
        self._forget_refusals(now_ms)
        if lately >= REFUSALS_PER_HOUR or len(self._refused_ms) >= MAX_REMEMBERED:
            return self._ignore("stranger")
        self._refused_ms[user_id] = now_ms
        return Verdict.REFUSE

    def _forget_refusals(self, now_ms: int) -> None:
        for user_id in [who for who, at_ms in self._refused_ms.items() if now_ms - at_ms >= REFUSAL_EVERY_MS]:
            del self._refused_ms[user_id]

    def _ignore(self, reason: str) -> Verdict:
        self._ignored[reason] += 1
        return Verdict.IGNORE

    def report(self, *, now_ms: int) -> dict[str, int] | None:
        """Counts of what was ignored, by reason, for one log line: at once the first time, then at most hourly."""
        if not self._ignored or (self._reported_ms is not None and now_ms - self._reported_ms < REPORT_EVERY_MS):
            return None
        counts = dict(self._ignored)
        self._ignored.clear()
        self._reported_ms = now_ms
        return counts

    def dump_refusals(self) -> str:
        """To be stored, so that a restart does not refuse the same person again."""
        return json.dumps({str(user_id): at_ms for user_id, at_ms in self._refused_ms.items()})

    def load_refusals(self, text: str | None) -> None:
        """Take back what `dump_refusals` gave; anything else is ignored."""
        try:
            stored = json.loads(text or "{}")
            entries = [(int(user_id), int(at_ms)) for user_id, at_ms in stored.items()]
        except (ValueError, TypeError, AttributeError):
            return
        for user_id, at_ms in entries[:MAX_REMEMBERED]:
            self._refused_ms[user_id] = at_ms
