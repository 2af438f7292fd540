"""`python -m tests.texts`: the catalogues of texts follow the code.

The template `bot/texts/oibot.pot` is what stands in calls of `say`, `say_n`, `say_as` and `mark`; each `bot/texts/LANGUAGE.po`
gets what is new in it, empty, and loses what is gone; `LANGUAGE.mo` is made from that. `--check` changes nothing and says what
does not follow. `--missing` prints what has no translation. `--take FILE.po` fills from another catalogue of that language what
has none, as of a branch that is merged.
"""

import ast
import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.texts import ENGLISH, LANGUAGES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bot" / "texts"
TEMPLATE = FOLDER / "oibot.pot"
SAYING = {"say": 1, "mark": 1, "say_n": 2, "say_as": 2}
"""Names of functions, and how many of their first values are texts."""
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


@cache
def calls() -> tuple[tuple[str, str, ast.Call], ...]:
    """All calls that say something: file, function and call, in their order."""
    return tuple(_calls())


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path in sorted((ROOT / "bot").rglob("*.py")):
        content = path.read_text(encoding="utf-8")
        if "texts" not in content:
            continue
        nodes = list(ast.walk(ast.parse(content)))
        imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "bot.texts"]
        ours = {alias.name for node in imports for alias in node.names} & set(SAYING)
        found = [(_name(node.func, ours), node) for node in nodes if isinstance(node, ast.Call)]
        for name, call in sorted(found, key=lambda one: (one[1].lineno, one[1].col_offset)):
            if name:
                yield path.relative_to(ROOT).as_posix(), name, call


def _name(function: ast.expr, ours: set[str]) -> str:
    """Of a function of ours; empty for others. `ours`: those that the module imports."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "texts":
        return function.attr if function.attr in SAYING else ""
    return function.id if isinstance(function, ast.Name) and function.id in ours else ""


def literals(name: str, call: ast.Call) -> tuple[str, ...]:
    """The texts of a call; empty where it says what a name stands for."""
    values = [arg.value if isinstance(arg, ast.Constant) else None for arg in call.args[: SAYING[name]]]
    return tuple(value for value in values if isinstance(value, str)) if all(values) else ()


def extracted() -> Texts:
    """What stands in the code. Babel's own way finds nothing within the values of another text."""
    found = _empty(None)
    for path, name, call in calls():
        said = literals(name, call)
        if said:
            context = said[0] if name == "say_as" else None
            text = said if name == "say_n" else said[-1]
            found.add(text, locations=[(path, 1)], context=context)
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
    return [message.id for message in catalog if message.id and not is_said(message)]


def is_said(message: Message) -> bool:
    """Whether a text is translated, in each form."""
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    return bool(strings) and all(strings)


def files() -> dict[Path, bytes]:
    """All that belongs in the folder, by path."""
    template = extracted()
    found = {TEMPLATE: text_of(template).encode()}
    for language in TRANSLATED:
        catalog = followed(language, template)
        found[FOLDER / f"{language}.po"] = text_of(catalog).encode()
        found[FOLDER / f"{language}.mo"] = compiled(catalog)
    return found


def take(path: Path) -> int:
    """Fill what has no translation from another catalogue of the same language. Returns how many it had."""
    other = read_po(io.BytesIO(path.read_bytes()))
    language = str(other.locale)
    catalog = followed(language, extracted())
    n = fill(catalog, other)
    (FOLDER / f"{language}.po").write_bytes(text_of(catalog).encode())
    return n


def fill(catalog: Catalog, other: Catalog) -> int:
    """Take translations of what has none. Returns how many there were."""
    n = 0
    for message in catalog:
        found = other.get(message.id, message.context) if message.id and not is_said(message) else None
        if found is not None and is_said(found):
            message.string, n = found.string, n + 1
    return n


def main(arguments: list[str]) -> int:
    if "--take" in arguments:
        print(f"took {take(Path(arguments[arguments.index('--take') + 1]))} translations")
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
