"""Who may look at the dashboard: links that open it once, and sessions that last. Pure; times are wall ms.

A link carries 128 random bits, lives five minutes and opens once; only its hash is kept. It is made in the bot's chat or
terminal for one person, and what that person may do is asked anew at every request. All of it is in memory: a restart
ends all sessions.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

TICKET_LIFE_MS: Final = 300_000
IDLE_MS: Final = 12 * 3_600_000
LIFE_MS: Final = 7 * 86_400_000
"""A session ends after this, however busy."""
MAX_TICKETS: Final = 20
MAX_SESSIONS: Final = 100
WRONG_PER_MINUTE: Final = 10
"""So many wrong links in a minute, whoever tries, and none is taken until the minute is over."""
_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks: the chat and the person by names that are also stored with what they make."""

    chat: str
    user: str


@dataclass(slots=True)
class Session:
    """One browser."""

    visitor: Visitor
    csrf: str
    """What a form of this session must carry."""
    begun_ms: int
    seen_ms: int


class Door:
    """Issues links and keeps sessions."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, tuple[Visitor, int]] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._wrong_ms: deque[int] = deque(maxlen=WRONG_PER_MINUTE)

    def issue(self, visitor: Visitor, *, now_ms: int) -> str:
        """The secret part of a new link."""
        ticket = secrets.token_urlsafe(_BYTES)
        self._tickets[_digest(ticket)] = visitor, now_ms + TICKET_LIFE_MS
        while len(self._tickets) > MAX_TICKETS:
            self._tickets.popitem(last=False)
        return ticket

    def is_closed(self, *, now_ms: int) -> bool:
        """Whether too many wrong links were shown lately."""
        return len(self._wrong_ms) == WRONG_PER_MINUTE and 0 <= now_ms - self._wrong_ms[0] < 60_000

    def enter(self, ticket: str, *, now_ms: int) -> str | None:
        """Use up a link: the secret of a new session, or None where it opens nothing."""
        if self.is_closed(now_ms=now_ms):
            return None
        found = self._tickets.pop(_digest(ticket), None)
        if found is None or now_ms >= found[1]:
            self._wrong_ms.append(now_ms)
            return None
        return self.begin(found[0], now_ms=now_ms)

    def begin(self, visitor: Visitor, *, now_ms: int) -> str:
        """The secret of a new session."""
        secret = secrets.token_urlsafe(_BYTES)
        csrf = hashlib.sha256(f"csrf {secret}".encode()).hexdigest()[:32]
        self._sessions[_digest(secret)] = Session(visitor, csrf, now_ms, now_ms)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return secret

    def session(self, secret: str, *, now_ms: int) -> Session | None:
        """The session of a browser that shows its secret; None where there is none any more."""
        key = _digest(secret)
        found = self._sessions.get(key)
        if found is None:
            return None
        if now_ms - found.seen_ms >= IDLE_MS or now_ms - found.begun_ms >= LIFE_MS:
            del self._sessions[key]
            return None
        found.seen_ms = max(found.seen_ms, now_ms)
        self._sessions.move_to_end(key)
        return found

    def leave(self, secret: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(secret), None)

    def shut_out(self, user: str) -> None:
        """End all sessions of a person, and void their links."""
        for key in [k for k, s in self._sessions.items() if s.visitor.user == user]:
            del self._sessions[key]
        for key in [k for k, (visitor, _) in self._tickets.items() if visitor.user == user]:
            del self._tickets[key]


def is_same(shown: str, expected: str) -> bool:
    """In a time that tells nothing."""
    return hmac.compare_digest(_bytes(shown), _bytes(expected))


def _digest(secret: str) -> str:
    return hashlib.sha256(_bytes(secret)).hexdigest()


def _bytes(shown: str) -> bytes:
    """A header may hold bytes that are no text."""
    return shown.encode(errors="surrogatepass")
