"""Misbehaviour on request: which faults are on, until when. Pure; time is an argument.

Stream faults
    `silence`      one stream or all of them say nothing
    `half_open`    open sockets are neither read nor written
    `wrong_route`  new `/market` connections behave like unrouted ones
    `deaf`         SUBSCRIBE is acknowledged and forgotten; the streams named in an address are forgotten too
    `reset`        every open socket ends with RST, at once; kept by the hub, not here
    `garbage`      cut frames, broken JSON and binary frames in place of data
    `odd`          rows with null, NaN, negative, huge, missing or mistyped fields and unknown events beside the good ones
    `huge`         frames of 16 MB
    `flood`        every frame some hundred times
    `trickle`      frames leave a few bytes at a time (REST: bodies)
    `duplicate`    every frame twice
    `reorder`      frames change places in pairs
    `late`         frames come `amount` seconds after their time
    `ahead`        every fifth second is dated a day ahead
    `skew`         all times of pushes and answers are `amount` seconds off
    `mute_symbol`  the symbol named in `stream` is left out of the arrays
    `zero`         the mark and index price of that symbol are 0
    `no_pong`      pings of clients are not answered
    `ws_403`, `ws_429`, `ws_451`, `ws_503`: new connections are refused with that status

REST faults
    `429`, `418`   with `Retry-After`; `429_plain` and `418_plain` without, nor an end in the body
    `1003`         HTTP 400 with code -1003
    `1121`, `1130`, `4108`: HTTP 400 with that code
    `403`, `451`   a page of the firewall; a restricted location as JSON, `451_html` as a page
    `500`, `503`   code -1001; under maintenance, without a code
    `timeout`      no answer while it lasts
    `cut`          the connection ends in the middle of the body
    `bad_json`     half of a body as if it were all
    `page`         HTTP 200 with the page of a proxy or a captive portal
    `redirect`     HTTP 302 to a log-in page
"""

from dataclasses import dataclass

STREAM_KINDS = (
    "silence", "half_open", "wrong_route", "garbage", "deaf", "reset", "odd", "huge", "flood", "trickle", "duplicate",
    "reorder", "late", "ahead", "skew", "mute_symbol", "zero", "no_pong", "ws_403", "ws_429", "ws_451", "ws_503",
)  # fmt: skip
REST_KINDS = (
    "429", "418", "403", "451", "500", "timeout", "429_plain", "418_plain", "1003", "1121", "1130", "4108", "451_html",
    "503", "cut", "bad_json", "page", "redirect",
)  # fmt: skip
KINDS = STREAM_KINDS + REST_KINDS


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that is on."""

    kind: str
    until_ms: int
    stream: str | None = None
    """Only names that begin so, streams or REST paths, or end so if it begins with `@`; None for all."""
    amount: float = 0.0
    """Seconds, for the kinds that take them."""

    def concerns(self, name: str | None) -> bool:
        if self.stream is None or name is None:
            return True
        return name.endswith(self.stream) if self.stream[:1] == "@" else name.startswith(self.stream)


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def start(self, kind: str, now_ms: int, seconds: float, stream: str | None = None, *, amount: float = 0.0) -> None:
        """Switch a fault on for that long.

        Raises:
            ValueError: there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
        self._on.append(Fault(kind, now_ms + int(seconds * 1000), stream, amount))

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
