"""What a Discord webhook may post, by the published limits, and how the server words a refusal. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bot.sim.chat_faults import Json
from bot.sim.chat_html import utf16_length

MAX_CONTENT: Final = 2_000
MAX_EMBEDS: Final = 10
MAX_FIELDS: Final = 25
MAX_SUM: Final = 6_000
"""Of all texts of all embeds of one message."""
MAX_USERNAME: Final = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the server would refuse."""

    path: str
    """Where, as the server tells it: `embeds.0.title`; empty for the whole message."""
    code: str
    message: str


def problem(payload: Json) -> Problem | None:
    """The first thing that is wrong; None for a sound payload."""
    return next(_problems(payload), None)


def refusal(wrong: Problem) -> Json:
    """The body of the answer."""
    if not wrong.path:
        return {"message": wrong.message, "code": 50006}
    errors: Json = {"_errors": [{"code": wrong.code, "message": wrong.message}]}
    for part in reversed(wrong.path.split(".")):
        errors = {part: errors}
    return {"message": "Invalid Form Body", "code": 50035, "errors": errors}


def visible_text(payload: Json) -> str:
    """All that people read of it."""
    found = [str(payload.get("content") or "")]
    for embed in payload.get("embeds") or []:
        found += [str(embed.get("title", "")), str(embed.get("description", ""))]
        found += [f"{f['name']} {f['value']}" for f in embed.get("fields", [])]
        found.append(str(embed.get("footer", {}).get("text", "")))
    return "\n".join(x for x in found if x)


def _problems(payload: Json) -> Iterator[Problem]:
    content, embeds = payload.get("content") or "", payload.get("embeds") or []
    if not content and not embeds:
        yield Problem("", "", "Cannot send an empty message")
    yield from _too_long("content", content, MAX_CONTENT)
    yield from _too_long("username", payload.get("username") or "", MAX_USERNAME)
    if len(embeds) > MAX_EMBEDS:
        yield Problem("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_EMBEDS} or fewer in length.")
    mentions = payload.get("allowed_mentions") or {}
    if not set(mentions.get("parse", [])) <= {"roles", "users", "everyone"}:
        yield Problem("allowed_mentions.parse", "BASE_TYPE_CHOICES", "Value must be one of roles, users, everyone.")
    total = 0
    for number, embed in enumerate(embeds):
        if len(embed.get("fields", [])) > MAX_FIELDS:
            where = f"embeds.{number}.fields"
            yield Problem(where, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FIELDS} or fewer in length.")
        for name, text, limit, is_required in _texts(embed):
            yield from _too_long(f"embeds.{number}.{name}", text, limit)
            if is_required and not str(text).strip():
                yield Problem(f"embeds.{number}.{name}", "BASE_TYPE_REQUIRED", "This field is required")
            total += utf16_length(str(text))
        colour = embed.get("color", 0)
        if not isinstance(colour, int) or not 0 <= colour <= 0xFFFFFF:
            yield Problem(
                f"embeds.{number}.color", "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215."
            )
    if total > MAX_SUM:
        yield Problem("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MAX_SUM}")


MAX_FILES_BYTES: Final = 10 * 1_048_576
"""Of all files of one request together."""


def file_problem(payload: Json, sizes: dict[str, int]) -> Problem | None:
    """What is wrong with the files of a request, by name of the file; each must be one that the payload lists."""
    if sum(sizes.values()) > MAX_FILES_BYTES:
        return Problem("", "", "Request entity too large")
    listed = {str(one.get("filename")) for one in payload.get("attachments") or []}
    for number, embed in enumerate(payload.get("embeds") or []):
        address = str(embed.get("image", {}).get("url", ""))
        if address.startswith("attachment://") and address.removeprefix("attachment://") not in sizes:
            return Problem(f"embeds.{number}.image.url", "ATTACHMENT_NOT_FOUND", "Referenced attachment not found.")
    if listed - set(sizes):
        return Problem("attachments", "ATTACHMENT_NOT_FOUND", "Attachment data not found.")
    return None


def _too_long(path: str, text: Any, limit: int) -> Iterator[Problem]:
    if not isinstance(text, str):
        yield Problem(path, "STRING_TYPE_CONVERT", f'Could not interpret "{text}" as string.')
    elif utf16_length(text) > limit:
        yield Problem(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def _texts(embed: Json) -> Iterator[tuple[str, Any, int, bool]]:
    """Place, text, limit and whether it must be there, of each text that counts."""
    yield "title", embed.get("title", ""), 256, False
    yield "description", embed.get("description", ""), 4_096, False
    yield "footer.text", embed.get("footer", {}).get("text", ""), 2_048, False
    yield "author.name", embed.get("author", {}).get("name", ""), 256, False
    for number, one in enumerate(embed.get("fields", [])):
        yield f"fields.{number}.name", one.get("name", ""), 256, True
        yield f"fields.{number}.value", one.get("value", ""), 1_024, True
