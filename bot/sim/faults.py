"""Misbehaviour on request: which faults are on, until when. Pure; time is an argument.

Stream faults: `silence` (one stream or all), `half_open` (open sockets are neither read nor written), `wrong_route`
(new `/market` connections behave like unrouted ones), `garbage` (broken JSON and cut frames in place of data), `deaf`
(SUBSCRIBE is acknowledged and forgotten; the streams named in an address are forgotten too), and
`reset` (every open socket ends with RST, at once; kept by the hub, not here). REST faults: `429`, `418`, `403`, `451`,
`500`, `timeout` (no answer while it lasts).
"""

from dataclasses import dataclass

STREAM_KINDS = ("silence", "half_open", "wrong_route", "garbage", "deaf", "reset")
REST_KINDS = ("429", "418", "403", "451", "500", "timeout")
KINDS = STREAM_KINDS + REST_KINDS


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that is on."""

    kind: str
    until_ms: int
    stream: str | None = None
    """Only names that begin so, streams or REST paths, or end so if it begins with `@`; None for all."""

    def concerns(self, name: str | None) -> bool:
        if self.stream is None or name is None:
            return True
        return name.endswith(self.stream) if self.stream[:1] == "@" else name.startswith(self.stream)


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def start(self, kind: str, now_ms: int, seconds: float, stream: str | None = None) -> None:
        """Switch a fault on for that long.

        Raises:
            ValueError: there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
        self._on.append(Fault(kind, now_ms + int(seconds * 1000), stream))

    def stop(self) -> None:
        """Switch everything off."""
        self._on.clear()

    def active(self, kind: str, now_ms: int, name: str | None = None) -> Fault | None:
        """Return the fault of that kind that concerns `name` now, if any."""
        self._on = [f for f in self._on if f.until_ms > now_ms]
        for fault in self._on:
            if fault.kind == kind and fault.concerns(name):
                return fault
        return None

    def listed(self, now_ms: int) -> list[Fault]:
        """Return what is on."""
        return [f for f in self._on if f.until_ms > now_ms]
