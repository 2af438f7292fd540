"""What a misbehaving venue makes of a frame: none, several, or others. Pure but for what it holds back; time is an argument.

Works on the text of one broadcast of one stream. Rows are told apart by their symbols, so that one bad row can stand among good ones.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from bot.sim.faults import Fault, Faults

Payload = str | bytes
Row = dict[str, object]

DAY_MS: Final = 86_400_000
HUGE_BYTES: Final = 16 * 2**20
FLOOD: Final = 100
"""Frames that `flood` makes of one."""

_EVENT_TIME: Final = re.compile(r'("(?:E|time|serverTime)":)(\d{13})')


def _every(n: int, now_ms: int) -> bool:
    return now_ms // 1000 % n == 0


# What may stand where a price is expected, and a row of its own for the rest.
_ODD_PRICES: Final[tuple[object, ...]] = (
    "NaN",
    "-1",
    "1e308",
    None,
    "",
    [],
    {},
    True,
    "0",
    "Infinity",
    "12,5",
    -5,
    1e999,
)


def _odd(rows: list[Row], now_ms: int) -> list[object]:
    """Good rows, and as many bad ones of the same symbols; every seventh second the bad ones have no usable key either."""
    found: list[object] = []
    for k, row in enumerate(rows):
        bad = _ODD_PRICES[(k + now_ms // 1000) % len(_ODD_PRICES)]
        keys = [key for key in ("p", "c", "q", "v", "o", "h", "l", "i", "r") if isinstance(row.get(key), str)]
        found += [row | {"x_new_field": {"deep": [1, None]}}, row | dict.fromkeys(keys, bad)]
        if _every(7, now_ms):
            found += [None, 7, [], {"e": row.get("e")}, row | {"E": "soon"}, row | {"s": None}, row | {"e": "newEvent"}]
    return found


def _zero(rows: list[Row], concerned: Callable[[Row], bool]) -> list[object]:
    return [row | {"p": "0.00000000", "i": "0.00000000"} if concerned(row) and "p" in row else row for row in rows]


class Damage:
    """One venue's damage. Frames that are held back come with the next broadcast of their stream."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: dict[str, list[tuple[int, Payload]]] = {}

    def of(self, stream: str, payload: str, now_ms: int) -> list[Payload]:
        """What leaves instead of this payload, in order."""
        on = {f.kind: f for f in self._faults.listed(now_ms) if f.concerns(stream)}
        # These name symbols, not streams.
        on |= {f.kind: f for f in self._faults.listed(now_ms) if f.kind in {"mute_symbol", "zero"}}
        held = self._held.pop(stream, [])
        if not (on or held):
            return [payload]
        if "silence" in on:
            return []
        made = _changed(payload, on, now_ms)
        if "late" in on:
            due = [p for due_ms, p in held if due_ms <= now_ms]
            late_ms = now_ms + int(on["late"].amount * 1000)
            self._held[stream] = [h for h in held if h[0] > now_ms] + [(late_ms, p) for p in made]
            return due
        if "reorder" in on and not held:
            self._held[stream] = [(now_ms, p) for p in made]
            return []
        made += [p for _, p in held]
        return made * 2 if "duplicate" in on else made


def _changed(payload: str, on: Mapping[str, Fault], now_ms: int) -> list[Payload]:
    if on.keys() & {"mute_symbol", "odd", "zero"}:
        payload = _rows_changed(payload, on, now_ms)
    if "skew" in on:
        payload = skewed(payload, int(on["skew"].amount * 1000))
    if "ahead" in on and _every(5, now_ms):
        payload = skewed(payload, DAY_MS)
    if "garbage" in on:
        # In turn: cut, broken and binary.
        turn = now_ms // 1000 % 3
        return [(payload[: len(payload) * 2 // 3], '{"e":"markPriceUpdate","s":NaN,]\x00', b"\xff\xfe\x00" * 40)[turn]]
    if "huge" in on:
        return ['["' + "x" * HUGE_BYTES + '"]']
    if "flood" in on:
        return [payload] * FLOOD
    return [payload]


def _rows_changed(payload: str, on: Mapping[str, Fault], now_ms: int) -> str:
    if payload[:1] != "[":
        return payload
    rows: list[Row] = msgspec.json.decode(payload)
    if "mute_symbol" in on:
        muted = on["mute_symbol"].stream
        rows = [row for row in rows if row.get("s") != muted]
    found: list[object] = list(rows)
    if "zero" in on:
        zeroed = on["zero"].stream
        found = _zero(rows, lambda row: row.get("s") == zeroed)
    elif "odd" in on:
        found = _odd(rows, now_ms)
    return msgspec.json.encode(found).decode()


def skewed(text: str, by_ms: int) -> str:
    """All event times in a payload or an answer moved."""
    return _EVENT_TIME.sub(lambda found: f"{found[1]}{int(found[2]) + by_ms}", text)
