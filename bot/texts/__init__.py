"""What people read, in their language.

English stands in the code, where it is said: `say("{n} alerts", n=3)`. A language is a catalogue beside this file, `zh.po`
for people and `zh.mo`, made from it by `make texts`, for the process; what a catalogue leaves out stays English.

Promises: which language is spoken is decided at the edges, by `speaking`, and holds for that task alone; without a word it is
the one of the settings. Pure but for reading catalogues, each once. Never: translates logs, errors of settings and rules, or
what people typed.
"""

import gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

ENGLISH: Final = "en"
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType({ENGLISH: "English", "zh": "简体中文"})
"""What each calls itself, by code."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language."""

    language: str
    texts: gettext.NullTranslations


_ENGLISH: Final = Catalogue(ENGLISH, gettext.NullTranslations())
_spoken: ContextVar[Catalogue] = ContextVar("language")
_usual = _ENGLISH


@cache
def catalogue(language: str) -> Catalogue:
    """That of a language in `LANGUAGES`; English for any other."""
    if language == ENGLISH or language not in LANGUAGES:
        return _ENGLISH
    with resources.files(__name__).joinpath(f"{language}.mo").open("rb") as file:
        return Catalogue(language, gettext.GNUTranslations(file))


def speak_usually(language: str) -> None:
    """What is spoken where nobody says otherwise; for the start of the process."""
    global _usual
    _usual = catalogue(language)


def language() -> str:
    """What is spoken now."""
    return _spoken.get(_usual).language


def nearest(code: str) -> str:
    """Of an IETF language tag such as `zh-hans` or `en-GB`, the language we have; empty for none."""
    found = code.replace("_", "-").partition("-")[0].casefold()
    return found if found in LANGUAGES else ""


@contextmanager
def speaking(language: str | Catalogue) -> Iterator[None]:
    """Within it texts are in that language, in this task and those it starts; an empty one changes nothing."""
    if not language:
        yield
        return
    token = _spoken.set(language if isinstance(language, Catalogue) else catalogue(language))
    try:
        yield
    finally:
        _spoken.reset(token)


def say(text: str, /, **values: object) -> str:
    """A text in the language spoken now. `{name}` stands for a value, which may have a format: `{share:.1f}`."""
    found = _spoken.get(_usual).texts.gettext(text)
    return found.format(**values) if values else found


def say_n(one: str, many: str, n: int, /, **values: object) -> str:
    """The form of a text for that number, which is `{n}` in it."""
    return _spoken.get(_usual).texts.ngettext(one, many, n).format(n=n, **values)


def say_as(context: str, text: str, /, **values: object) -> str:
    """A text that other languages say in different ways by what it means: `context` tells that to translators."""
    found = _spoken.get(_usual).texts.pgettext(context, text)
    return found.format(**values) if values else found


def mark(text: str) -> str:
    """A text that is said later, by `say` of a name: here it is only noted for the catalogues."""
    return text
