"""Canaries: secrets that would be recognised anywhere, in every form in which they could get out."""

import base64
import json
import random
import string
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from bot.sim.chat_discord import WEBHOOK_TOKEN
from bot.sim.chat_telegram import TOKEN

MIN_PART = 10
"""A shorter piece would be found by chance."""


EVERYWHERE = (TOKEN.rpartition(":")[2], WEBHOOK_TOKEN, "canary")
"""Secrets of the simulated chats, and what tests call theirs; any test may meet them, and none may let them out."""


def leaks_in(text: str) -> str:
    """The surroundings of the first of these secrets in a text; empty where there is none."""
    low = text.lower()
    for secret in EVERYWHERE:
        at = low.find(secret.lower())
        if at >= 0 and not low.startswith("canary.discord.com", at):
            return text[max(0, at - 100) : at + 100]
    return ""


@dataclass(frozen=True)
class Canary:
    """One secret; `value` is the part of it that must not be seen."""

    name: str
    value: str

    def forms(self) -> set[bytes]:
        """All that gives it away: as it is, encoded for URLs and JSON, in hexadecimal and base64 of any alignment, its halves."""
        raw = self.value.encode()
        half = len(raw) // 2
        found = {raw, raw[:half], raw[half:], raw.hex().encode(), raw[::-1]}
        texts = {quote(self.value, safe=""), quote_plus(self.value), json.dumps(self.value)[1:-1]}
        found |= {text.encode() for text in texts}
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for before in range(3):
                # What the neighbours decide is left out: a user name before it, say.
                inside = encode(b"\0" * before + raw)[(before * 4 + 2) // 3 + (before > 0) :]
                found.add(inside.rstrip(b"=")[:-2])
        return {form for form in found if len(form) >= MIN_PART}


def canary(name: str, *, seed: int, length: int = 36, extra: str = "") -> Canary:
    """`extra`: characters that look different in a URL."""
    rng = random.Random(f"{name} {seed}")
    letters = "".join(rng.choices(string.ascii_letters + string.digits, k=length - len(extra)))
    middle = len(letters) // 2
    return Canary(name, letters[: middle + 3] + extra + letters[middle + 3 :])


def leaks(canaries: list[Canary], where: str, content: bytes | str) -> list[str]:
    """`secret in where: …` for everything that is found; the surroundings are shown, so that it can be mended."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    found = []
    for one in canaries:
        for form in one.forms():
            at = raw.find(form)
            if at >= 0:
                around = raw[max(0, at - 160) : at + len(form) + 60].decode("utf-8", "replace")
                found.append(f"{one.name} in {where}: …{around}…")
                break
    return found
