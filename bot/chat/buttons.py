"""What stands behind the buttons of messages. One registry for all of them: those of answers and those of alerts.

A button carries an id that only this bot can make, and its number below the message. What it does is looked up here, so
that it may be of any length, cannot be guessed, and works over restarts. It may be pressed in its chat alone, and where it
was issued to somebody by nobody else; what it does is done with the rights of whoever pressed it.

Ids are derived from a secret of this installation and from what they stand for: the same buttons below the same message
are the same keyboard, however often it is edited. Bounded in memory and, by pruning, on disk.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.buttons import MAX_BUTTONS, MAX_COMMAND_CHARS, Keyboard, Pressed, Stale
from bot.model.chat_ports import ButtonStore
from bot.model.ports import KeyValues
from bot.texts import mark

MAX_IN_MEMORY: Final = 500
"""Some 0.4 MB; others are looked up."""
FRESH_MS: Final = 86_400_000
"""One that was stored later than that is not stored anew when it is issued again."""
SECRET_KEY: Final = "chat.buttons.secret"  # noqa: S105, its name

OUT_OF_DATE: Final = Stale(
    mark("This button is out of date: I keep them for 30 days. Type the command, /help lists them.")
)
DRAWN_ANEW: Final = Stale(mark("This button is out of date. I show its message as it is now."))
NOT_YOURS: Final = Stale(mark("This button is for somebody else."))
NOT_NOW: Final = Stale(mark("I cannot look that up just now. Please try again."))

_log = log.get("chat.buttons")


async def load_secret(values: KeyValues) -> bytes:
    """The secret of this installation, made at its first start. While nothing can be stored, one for this process."""
    try:
        known = await values.get(SECRET_KEY)
        if known:
            log.hide(known)
            return known.encode()
        made = secrets.token_hex(32)
        log.hide(made)
        await values.put(SECRET_KEY, made)
    except StorageError as error:
        _log.warning("secret.unstored", reason=str(error))
        return secrets.token_bytes(32)
    return made.encode()


class Buttons:
    """The registry: the `ButtonIssuer` port for whoever sends messages, and `press` for the front that is told of presses."""

    def __init__(self, store: ButtonStore, *, secret: bytes, clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self._clock = clock
        self._recent: OrderedDict[str, Keyboard] = OrderedDict()

    async def issue(
        self, commands: Sequence[str], *, chat: str, user: str = "", place: str = "", origin: str = ""
    ) -> tuple[str, ...]:
        """Callback data for each command, in order; at most 32 characters of ASCII.

        Args:
            commands: Text as typed, up to 1,000 characters each and 96 in all.
            chat: Where they may be pressed.
            user: Who may press them; empty for everyone whom the bot answers there.
            place: The destination whose message they belong to; the answer to a press then stands below that message.
                Empty: the answer takes the place of the message.
            origin: What draws the message anew, see `Keyboard`.
        """
        kept = tuple(command[:MAX_COMMAND_CHARS] for command in commands[:MAX_BUTTONS])
        now_ms = self._clock.wall_ms()
        origin = origin if len(origin) <= MAX_COMMAND_CHARS else ""
        named = (chat, user, place, kept, origin) if origin else (chat, user, place, kept)
        keyboard = Keyboard(self._id(*named), chat, user, place, kept, now_ms, origin)
        known = self._recent.get(keyboard.id)
        if known is None or now_ms - known.issued_ms >= FRESH_MS:
            self._remember(keyboard)
            try:
                await self._store.put(keyboard)
            except StorageError as error:
                # They work until this process ends.
                _log.warning("buttons.unstored", reason=str(error))
        return tuple(f"{keyboard.id}.{n}" for n in range(len(kept)))

    async def press(self, data: str, *, chat: str, user: str) -> Pressed | Stale:
        """What a press asks for. Never raises."""
        keyboard_id, _, number = data.partition(".")
        if not keyboard_id or not number.isdecimal() or len(data) > 40:
            return OUT_OF_DATE
        keyboard = self._recent.get(keyboard_id)
        if keyboard is None:
            try:
                keyboard = await self._store.get(keyboard_id)
            except StorageError as error:
                _log.warning("buttons.unreadable", reason=str(error))
                return NOT_NOW
        if keyboard is None or keyboard.chat != chat or int(number) >= len(keyboard.commands):
            return OUT_OF_DATE
        self._remember(keyboard)
        if keyboard.user not in {"", user}:
            return NOT_YOURS
        return Pressed(keyboard.commands[int(number)], keyboard.place, keyboard)

    def moved(self, old: str, new: str) -> None:
        """A chat became another; the store is told by `ChatMoves`."""
        for keyboard in [k for k in self._recent.values() if k.chat == old]:
            self._recent[keyboard.id] = replace(keyboard, chat=new)

    def _id(self, *parts: object) -> str:
        digest = hmac.new(self._secret, json.dumps(parts).encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")

    def _remember(self, keyboard: Keyboard) -> None:
        self._recent[keyboard.id] = keyboard
        self._recent.move_to_end(keyboard.id)
        while len(self._recent) > MAX_IN_MEMORY:
            self._recent.popitem(last=False)
