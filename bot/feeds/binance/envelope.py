"""The outermost object of a frame, whichever connection it came over."""

from collections.abc import Collection
from typing import Final

import msgspec

from bot.feeds.binance.decoding import UNREADABLE, Loose

_ERROR_LIMIT: Final = 200

SHUTDOWN_EVENT: Final = "serverShutdown"
"""Documented for the venue's spot streams: the connection will be closed within minutes. Nothing says that futures do without."""


class Message(msgspec.Struct):
    """The fields by which frames are told apart; all else is left as bytes."""

    data: msgspec.Raw = msgspec.Raw(b"")
    e: str = ""
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    code: msgspec.Raw = msgspec.Raw(b"")
    msg: Loose = None

    @property
    def complaint(self) -> str:
        """What the venue complains about; empty for anything else."""
        found = bytes(self.error) or bytes(self.code)
        if not found or found == b"null":
            return ""
        return f"{found.decode('utf-8', 'replace')} {self.msg or ''}".strip()[:_ERROR_LIMIT]

    @property
    def is_answer(self) -> bool:
        """Whether it answers a request without a complaint."""
        return bool(bytes(self.result))

    @property
    def listed(self) -> frozenset[str] | None:
        """The streams that the answer lists; None where it lists none, as an acknowledgement does."""
        try:
            return frozenset(_NAMES.decode(self.result))
        except UNREADABLE:
            return None


MESSAGE: Final = msgspec.json.Decoder(Message, strict=False)
_NAMES: Final = msgspec.json.Decoder(list[str])


def request(method: str, params: Collection[str], number: int) -> str:
    """The text of a request over a stream's connection."""
    body: dict[str, object] = {"method": method, "id": number}
    if params:
        body["params"] = list(params)
    return msgspec.json.encode(body).decode()
