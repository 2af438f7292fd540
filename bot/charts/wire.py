"""What goes between the bot and its drawing process: a length of four bytes, then that many bytes of MessagePack."""

import struct
from typing import Final

import msgspec

from bot.model.charts import ChartData

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


_CHART = msgspec.msgpack.Decoder(ChartData)
_ANSWER = msgspec.msgpack.Decoder(Answer)
_ENCODER = msgspec.msgpack.Encoder()


def frame(value: ChartData | Answer) -> bytes:
    """Header and body. Raises `ValueError` for what is too large."""
    body = _ENCODER.encode(value)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"expected at most {MAX_FRAME_BYTES} bytes in a frame, found {len(body)}")
    return HEADER.pack(len(body)) + body


def length(header: bytes) -> int:
    """Length of the body. Raises `ValueError` where it cannot be one."""
    (n,) = HEADER.unpack(header)
    if n > MAX_FRAME_BYTES:
        raise ValueError(f"expected at most {MAX_FRAME_BYTES} bytes in a frame, found {n}")
    return int(n)


def read_chart(body: bytes) -> ChartData:
    """Raises `msgspec.DecodeError`."""
    return _CHART.decode(body)


def read_answer(body: bytes) -> Answer:
    """Raises `msgspec.DecodeError`."""
    return _ANSWER.decode(body)
