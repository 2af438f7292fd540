"""What goes between the bot and its drawing process: a length of four bytes, then that many bytes of MessagePack."""

import struct
from typing import Final

import msgspec

from bot.model.charts import BacktestChart, ChartData, Drawing

HEADER: Final = struct.Struct(">I")
MAX_FRAME_BYTES: Final = 8_000_000


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What the worker says: once when it is ready (without a picture), then once per chart."""

    png: bytes = b""
    width_px: int = 0
    height_px: int = 0
    error: str = ""
    """Why there is no picture."""
    peak_mb: float = 0.0
    """The most memory that the process has ever held."""


class _Wanted(msgspec.Struct, frozen=True, array_like=True):
    """One of them."""

    chart: ChartData | None = None
    backtest: BacktestChart | None = None


_WANTED = msgspec.msgpack.Decoder(_Wanted)
_ANSWER = msgspec.msgpack.Decoder(Answer)
_ENCODER = msgspec.msgpack.Encoder()


def frame(value: Drawing | Answer) -> bytes:
    """Header and body. Raises `ValueError` for what is too large."""
    match value:
        case Answer():
            body = _ENCODER.encode(value)
        case ChartData():
            body = _ENCODER.encode(_Wanted(chart=value))
        case BacktestChart():
            body = _ENCODER.encode(_Wanted(backtest=value))
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"expected at most {MAX_FRAME_BYTES} bytes in a frame, found {len(body)}")
    return HEADER.pack(len(body)) + body


def length(header: bytes) -> int:
    """Length of the body. Raises `ValueError` where it cannot be one."""
    (n,) = HEADER.unpack(header)
    if n > MAX_FRAME_BYTES:
        raise ValueError(f"expected at most {MAX_FRAME_BYTES} bytes in a frame, found {n}")
    return int(n)


def read_chart(body: bytes) -> Drawing:
    """Raises `msgspec.DecodeError`."""
    found = _WANTED.decode(body)
    drawing = found.chart or found.backtest
    if drawing is None:
        raise msgspec.DecodeError("expected a chart, found none")
    return drawing


def read_answer(body: bytes) -> Answer:
    """Raises `msgspec.DecodeError`."""
    return _ANSWER.decode(body)
