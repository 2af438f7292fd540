"""Since when each stream of rare events has been heard without a gap.

Sums over events are right only where no event can have been missed, so a gauge's watch (`bot.feeds.watch`) is not enough:
a gap of a second counts. A connection covers such a stream from the moment at which both are known: that it delivers
data of any stream, and that the venue counts the stream among its subscriptions (or an event came). It covers it up to
its last frame; what came after that may be lost.

Promises: live and lost are told once each, with the moment from which on they hold. A connection that is replaced while
it still delivers leaves no gap. A stream that stays silent beyond its own limit while the connection delivers is lost
since its last event, and then only an event brings it back. Pure: time is an argument, `Clock.monotonic_ms`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from bot.feeds.frames import StreamSpec
from bot.feeds.trouble import Trouble, TroubleKind
from bot.model.updates import FeedStatus

PATIENCE_MS = 10_000.0
"""A connection without a frame of any stream for this long covers nothing from its last frame on."""


@dataclass(slots=True)
class _Carrier:
    """One connection as far as one stream is concerned."""

    data_ms: float | None = None
    """Its last data frame."""
    is_subscribed: bool = False
    good_ms: float | None = None
    """Since when it covers the stream."""


class SparseWatch:
    """Follows one stream over all its connections. Connections are named by numbers."""

    def __init__(self, spec: StreamSpec, *, now_ms: float) -> None:
        self.spec = spec
        self._limit_ms = float("inf") if spec.silence_s is None else spec.silence_s * 1000.0
        self._carriers: dict[int, _Carrier] = {}
        self._data_since_ms: float | None = None
        self._since_ms: float | None = None
        self._event_ms = now_ms
        self._is_muted = False
        self._told: TroubleKind | None = None

    @property
    def is_live(self) -> bool:
        return self._since_ms is not None

    def covers(self, connection: int) -> bool:
        """Whether that connection would carry the stream alone."""
        carrier = self._carriers.get(connection)
        return carrier is not None and carrier.good_ms is not None

    def may_follow(self, new: int, old: int) -> bool:
        """Whether `new` may take the place of `old` without a gap: it carried the stream when `old` last delivered."""
        if not self.covers(new):
            return False
        before, after = self._carriers.get(old), self._carriers[new]
        if before is None or before.good_ms is None or before.data_ms is None or after.good_ms is None:
            return True
        return after.good_ms <= before.data_ms

    def heard(self, connection: int, stream: str, now_ms: float) -> list[FeedStatus]:
        """Note a data frame of any stream of that connection."""
        carrier = self._carriers.setdefault(connection, _Carrier())
        late = carrier.data_ms is not None and now_ms - carrier.data_ms > PATIENCE_MS
        found = self._end(carrier, "nothing came", now_ms) if late else []
        carrier.data_ms = now_ms
        if self._data_since_ms is None:
            self._data_since_ms = now_ms
        if stream == self.spec.name:
            carrier.is_subscribed = True
            self._event_ms, self._is_muted = now_ms, False
        return found + self._begin(carrier, now_ms)

    def listed(self, connection: int, streams: Collection[str], now_ms: float) -> list[FeedStatus]:
        """Note what the venue says that connection carries."""
        carrier = self._carriers.setdefault(connection, _Carrier())
        carrier.is_subscribed = self.spec.name in streams
        return self._begin(carrier, now_ms) if carrier.data_ms is not None else []

    def gone(self, connection: int, reason: str, now_ms: float) -> list[FeedStatus]:
        """That connection is read no more."""
        carrier = self._carriers.pop(connection, None)
        return [] if carrier is None else self._end(carrier, reason, now_ms)

    def check(self, now_ms: float, trouble: Trouble | None) -> list[FeedStatus]:
        """What was lost by now. `trouble` is the latest reason why the connection is not as it should be."""
        found: list[FeedStatus] = []
        for carrier in self._carriers.values():
            if carrier.good_ms is not None and now_ms - (carrier.data_ms or 0.0) > PATIENCE_MS:
                found += self._end(carrier, trouble.text if trouble else "nothing came", now_ms)
        quiet_since_ms = max(self._event_ms, self._since_ms or 0.0)
        if self._since_ms is not None and now_ms - quiet_since_ms > self._limit_ms:
            self._is_muted = True
            text = f"no event of the whole market for {self._limit_ms / 60_000:.0f} min: the stream is silent"
            found.append(self._down(TroubleKind.SILENT, text, quiet_since_ms, now_ms))
        if self._since_ms is None and self._told is None:
            if trouble is not None:
                found.append(self._down(trouble.kind, trouble.text, now_ms, now_ms))
            elif self._data_since_ms is not None and now_ms - self._data_since_ms > self._limit_ms:
                text = "the venue neither lists the stream nor sends an event"
                found.append(self._down(TroubleKind.NO_DATA, text, self._data_since_ms, now_ms))
        return found

    def _begin(self, carrier: _Carrier, now_ms: float) -> list[FeedStatus]:
        """The connection may cover the stream from now on."""
        if not carrier.is_subscribed:
            return []
        if carrier.good_ms is None:
            carrier.good_ms = now_ms
        if self._since_ms is not None or self._is_muted:
            return []
        return [self._up(now_ms, now_ms)]

    def _end(self, carrier: _Carrier, reason: str, now_ms: float) -> list[FeedStatus]:
        """The connection covers the stream no more, since its last frame."""
        good_ms, carrier.good_ms = carrier.good_ms, None
        if good_ms is None or self._since_ms is None:
            return []
        last_ms = carrier.data_ms if carrier.data_ms is not None else now_ms
        others = [c.good_ms for c in self._carriers.values() if c is not carrier and c.good_ms is not None]
        if any(other_ms <= last_ms for other_ms in others):
            return []
        found = [self._down(TroubleKind.CLOSED, reason, max(last_ms, self._since_ms), now_ms)]
        return [*found, self._up(min(others), now_ms)] if others else found

    def _up(self, since_ms: float, now_ms: float) -> FeedStatus:
        self._since_ms, self._told = since_ms, None
        return FeedStatus(self.spec.feed, True, "every event is heard", now_ms, since_ms)

    def _down(self, kind: TroubleKind, reason: str, since_ms: float, now_ms: float) -> FeedStatus:
        self._since_ms, self._told = None, kind
        return FeedStatus(self.spec.feed, False, reason, now_ms, since_ms)
