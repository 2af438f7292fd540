"""Parameters of Bot API requests: read and checked as the server does. Each raises `Refusal` for what it would refuse."""

import json
from typing import Any, Final

from bot.sim import chat_faults
from bot.sim.chat_faults import Json
from bot.sim.chat_html import MarkupError, parse, utf16_length
from bot.sim.chat_rooms import Refusal

MAX_CALLBACK_BYTES: Final = 64
MAX_BUTTONS: Final = 100


def integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def decoded(value: Any) -> Any:
    """Nested parameters are JSON inside the form."""
    return json.loads(value) if isinstance(value, str) and value else value


def chat_id_of(params: Json) -> int:
    chat_id = integer(params.get("chat_id"))
    if chat_id is None:
        raise Refusal(chat_faults.bad_request("chat_id is empty" if not params.get("chat_id") else "chat not found"))
    return chat_id


def text_of(params: Json, name: str, limit: int, too_long: str) -> tuple[str, str]:
    """As sent, and as people see it."""
    source = str(params.get(name) or "")
    text = source.strip()
    if params.get("parse_mode") == "HTML":
        try:
            text = parse(source)
        except MarkupError as error:
            raise Refusal(chat_faults.bad_request(f"can't parse entities: {error}")) from error
    if utf16_length(text) > limit:
        raise Refusal(chat_faults.bad_request(too_long))
    return source, text


def markup_of(params: Json) -> Any:
    markup = decoded(params.get("reply_markup"))
    if not markup:
        return markup
    buttons = [button for row in markup.get("inline_keyboard", []) for button in row]
    if len(buttons) > MAX_BUTTONS:
        raise Refusal(chat_faults.bad_request("reply markup is too long"))
    for button in buttons:
        data = button.get("callback_data")
        if not button.get("text"):
            raise Refusal(chat_faults.bad_request("can't parse inline keyboard button: Text is empty"))
        if data is not None and not 1 <= len(str(data).encode()) <= MAX_CALLBACK_BYTES:
            raise Refusal(chat_faults.bad_request("BUTTON_DATA_INVALID"))
    return markup
