"""Whether each feed is alive, judged by its data alone.

Promises: a feed is live after its first data frame, never because something connected; it is lost after its own limit of
silence, or at once when nothing was ever received and the venue cannot be reached. Each change is told once; while a
feed stays lost, a new kind of reason is told again. A short reconnect within the limit is no loss.

A stream without a limit (contract events may be rare) follows the others of the connection that carries it.
Pure: time is an argument, in milliseconds of `Clock.monotonic_ms`.
"""

from collections.abc import Sequence

from bot.feeds.frames import StreamSpec
from bot.feeds.trouble import Trouble, TroubleKind
from bot.model.updates import FeedStatus


class FeedWatch:
    """Follows the streams of one venue over all its connections."""

    def __init__(self, streams: Sequence[StreamSpec], *, first_frame_s: float, now_ms: float) -> None:
        self._streams = tuple(streams)
        self._dense = tuple(spec for spec in streams if spec.silence_s is not None)
        self._first_frame_ms = first_frame_s * 1000.0
        self._started_ms = now_ms
        self._limits_ms = now_ms
        self._heard_ms: dict[str, float] = {}
        self._live: set[str] = set()
        self._told: dict[str, TroubleKind] = {}

    def follow(self, streams: Sequence[StreamSpec], now_ms: float) -> None:
        """Judge by these limits from now on; the names stay what they are. A new limit forgives the silence before it."""
        if streams != self._streams:
            self._streams = tuple(streams)
            self._dense = tuple(spec for spec in streams if spec.silence_s is not None)
            self._limits_ms = now_ms

    def is_live(self, stream: str) -> bool:
        return stream in self._live

    def heard_ms(self) -> dict[str, float]:
        """When each feed that has spoken last did, by its name."""
        return {spec.feed: self._heard_ms[spec.name] for spec in self._streams if spec.name in self._heard_ms}

    def heard(self, stream: str, now_ms: float) -> list[FeedStatus]:
        """Note a data frame; the answer is empty unless it brought a feed to life."""
        self._heard_ms[stream] = now_ms
        if stream in self._live:
            return []
        rare = [s for s in self._streams if s.silence_s is None and s.name not in self._live and s.name != stream]
        found = [self._up(s, "data is coming in", now_ms) for s in self._streams if s.name == stream]
        return found + [self._up(s, "connected; it speaks only when a contract changes", now_ms) for s in rare]

    def check(self, now_ms: float, trouble: Trouble | None) -> list[FeedStatus]:
        """What was lost by now. `trouble` is the latest reason why the connection is not as it should be."""
        found: list[FeedStatus] = []
        for spec in self._dense:
            lost = self._lost(spec, now_ms, trouble)
            if lost is not None:
                found += self._down(spec, lost, now_ms)
        if found and not any(spec.name in self._live for spec in self._dense):
            reason = Trouble(self._told[self._dense[0].name], found[0].reason)
            for spec in self._streams:
                if spec.silence_s is None:
                    found += self._down(spec, reason, now_ms)
        return found

    def _lost(self, spec: StreamSpec, now_ms: float, trouble: Trouble | None) -> Trouble | None:
        heard_ms = self._heard_ms.get(spec.name)
        if heard_ms is None:
            if trouble is not None:
                return trouble
            if now_ms - self._started_ms <= self._first_frame_ms:
                return None
            return Trouble(TroubleKind.NO_DATA, "connected, but no data came: the route is wrong or blocked")
        silent_ms = now_ms - max(heard_ms, self._limits_ms)
        if spec.silence_s is None or silent_ms <= spec.silence_s * 1000.0:
            return None
        if trouble is not None:
            return trouble
        return Trouble(TroubleKind.SILENT, f"silent for {silent_ms / 1000.0:.0f} s")

    def _up(self, spec: StreamSpec, reason: str, now_ms: float) -> FeedStatus:
        self._live.add(spec.name)
        self._told.pop(spec.name, None)
        return FeedStatus(spec.feed, True, reason, now_ms)

    def _down(self, spec: StreamSpec, trouble: Trouble, now_ms: float) -> list[FeedStatus]:
        if self._told.get(spec.name) == trouble.kind:
            return []
        self._live.discard(spec.name)
        self._told[spec.name] = trouble.kind
        return [FeedStatus(spec.feed, False, trouble.text, now_ms)]
