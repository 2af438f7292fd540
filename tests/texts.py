"""`python -m tests.texts`: the catalogues of texts follow the code.

The template `bot/texts/oibot.pot` is what stands in calls of `say`, `say_n`, `say_as` and `mark`; each `bot/texts/LANGUAGE.po`
gets what is new in it, empty, and loses what is gone; `LANGUAGE.mo` is made from that. `--check` changes nothing and says what
does not follow. `--missing` prints what has no translation.
"""

import io
import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.texts import ENGLISH, LANGUAGES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bot" / "texts"
TEMPLATE = FOLDER / "oibot.pot"
KEYWORDS = {"say": None, "say_n": (1, 2), "say_as": ((1, "c"), 2), "mark": None}
TRANSLATED = tuple(language for language in LANGUAGES if language != ENGLISH)


class Texts(Catalog):
    """Without dates and names, so that the same texts give the same bytes."""

    def _headers(self) -> list[tuple[str, str]]:
        found = [
            ("Project-Id-Version", "oibot"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]
        if self.locale is not None:
            found += [("Language", str(self.locale)), ("Plural-Forms", self.plural_forms)]
        return found

    mime_headers = property(_headers, lambda _self, _value: None)


def _empty(language: str | None) -> Texts:
    header = "# Texts of oibot. `make texts` writes this from the code."
    return Texts(locale=language, header_comment=header, fuzzy=False)


def extracted() -> Texts:
    """What stands in the code."""
    found = _empty(None)
    for path in sorted((ROOT / "bot").rglob("*.py")):
        if not re.search(r"from bot\.texts import|\btexts\.say\(", path.read_text(encoding="utf-8")):
            continue
        name = path.relative_to(ROOT).as_posix()
        for _line, text, _comments, context in extract_from_file("python", path, keywords=KEYWORDS):
            found.add(text, locations=[(name, 1)], context=context)
    return found


def text_of(catalog: Texts) -> str:
    out = io.BytesIO()
    write_po(out, catalog, width=120, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    return out.getvalue().decode()


def read(language: str) -> Texts:
    """A catalogue as it is checked in; empty where it is new."""
    found = _empty(language)
    path = FOLDER / f"{language}.po"
    if path.exists():
        for message in read_po(io.BytesIO(path.read_bytes()), locale=language):
            if message.id:
                found.add(message.id, message.string, context=message.context)
    return found


def followed(language: str, template: Texts) -> Texts:
    """A catalogue with what the code says now."""
    found, before = _empty(language), read(language)
    for message in template:
        if message.id:
            known = before.get(message.id, message.context)
            string = known.string if known is not None else None
            found.add(message.id, string, locations=message.locations, flags=message.flags, context=message.context)
    return found


def compiled(catalog: Texts) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def missing(catalog: Texts) -> list[str | tuple[str, ...]]:
    """What has no translation."""
    strings = [(m.id, m.string if isinstance(m.string, tuple) else (m.string,)) for m in catalog if m.id]
    return [text for text, said in strings if not said or not all(said)]


def files() -> dict[Path, bytes]:
    """All that belongs in the folder, by path."""
    template = extracted()
    found = {TEMPLATE: text_of(template).encode()}
    for language in TRANSLATED:
        catalog = followed(language, template)
        found[FOLDER / f"{language}.po"] = text_of(catalog).encode()
        found[FOLDER / f"{language}.mo"] = compiled(catalog)
    return found


def main(arguments: list[str]) -> int:
    if "--missing" in arguments:
        for language in TRANSLATED:
            for text in missing(followed(language, extracted())):
                print(language, repr(text))
        return 0
    differing = {
        path: content for path, content in files().items() if not path.exists() or path.read_bytes() != content
    }
    for path, content in differing.items():
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} does not follow the code: run `make texts`")
        else:
            path.write_bytes(content)
            print(f"wrote {path.relative_to(ROOT)}")
    return int("--check" in arguments and bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
