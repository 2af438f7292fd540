"""Messages in Telegram whose buttons are out of date: drawn anew where it is known what drew them, else without such buttons.

Only what a message really shows counts: whoever makes up the data of a button changes nothing.
"""

from collections.abc import Awaitable, Callable

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MaybeInaccessibleMessage, Message

Lives = Callable[[str], Awaitable[bool]]
"""Whether the button with that data still leads somewhere."""


def shows(message: MaybeInaccessibleMessage, data: str) -> bool:
    """Whether a button with that data stands below a message as it is now."""
    return any(data and one.callback_data == data for row in _rows(message) for one in row)


async def living(message: Message, lives: Lives) -> InlineKeyboardMarkup | None:
    """The buttons of a message that still lead somewhere, pages elsewhere among them; None for none."""
    kept = []
    for row in _rows(message):
        ones = [one for one in row if not isinstance(one.callback_data, str) or await lives(one.callback_data)]
        kept += [ones] if ones else []
    return InlineKeyboardMarkup(kept) if kept else None


def _rows(message: MaybeInaccessibleMessage) -> tuple[tuple[InlineKeyboardButton, ...], ...]:
    markup = message.reply_markup if isinstance(message, Message) else None
    return () if markup is None else markup.inline_keyboard
