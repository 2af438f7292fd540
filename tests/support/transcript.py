"""A conversation written down as it was had, for people to read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def _indented(text: str) -> str:
    return "\n".join(f"    {row}".rstrip() for row in text.splitlines())


def _labels(markup: Any) -> str:
    rows = (markup or {}).get("inline_keyboard", [])
    return "\n".join("".join(f"[ {one['text']} ] " for one in row).rstrip() for row in rows)


@dataclass
class Transcript:
    """Chapters of what was typed, pressed and answered."""

    lines: list[str] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        self.lines += [f"## {title}", ""]

    def typed(self, who: str, text: str) -> None:
        self.lines += [f"**{who}:** `{text}`", ""]

    def pressed(self, who: str, label: str) -> None:
        self.lines += [f"**{who}** → `[ {label} ]`", ""]

    def note(self, text: str) -> None:
        self.lines += [text, ""]

    def answered(self, text: str, markup: Any = None, *, was_edited: bool = False) -> None:
        how = "The message becomes:" if was_edited else "**The bot:**"
        self.lines += [how, "", _indented("\n".join(part for part in (text, _labels(markup)) if part)), ""]

    def write(self, path: Path, title: str, about: str) -> None:
        path.write_text("\n".join([f"# {title}", "", about, "", *self.lines]).rstrip() + "\n", encoding="utf-8")
