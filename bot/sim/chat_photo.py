"""What the Bot API takes for a photo, by the published limits."""

import struct
from typing import Final

from bot.sim import chat_faults
from bot.sim.chat_rooms import Refusal

MAX_PHOTO_BYTES: Final = 10 * 1_048_576
MAX_SIDES: Final = 10_000
"""Width and height together."""
MAX_RATIO: Final = 20
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SIZE: Final = struct.Struct(">II")


def size_of(png: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG; None for what is none."""
    if not png.startswith(_PNG) or len(png) < 24 or png[12:16] != b"IHDR":
        return None
    width, height = _SIZE.unpack(png[16:24])
    return int(width), int(height)


def check_photo(png: bytes) -> bytes:
    """The same bytes. Raises `Refusal` with the server's words."""
    if len(png) > MAX_PHOTO_BYTES:
        raise Refusal(chat_faults.bad_request("file is too big for a photo"))
    size = size_of(png)
    if size is None or not png.rstrip(b"\0").endswith(b"IEND\xaeB`\x82"):
        raise Refusal(chat_faults.bad_request("IMAGE_PROCESS_FAILED"))
    width, height = size
    if width + height > MAX_SIDES or max(width, height) > MAX_RATIO * min(width, height):
        raise Refusal(chat_faults.bad_request("PHOTO_INVALID_DIMENSIONS"))
    return png
