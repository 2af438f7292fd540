"""What people read, in their language.

English stands in the code, where it is said: `say("{n} alerts", n=3)`. A language is a catalogue beside this file, `zh.po`
for people and `zh.mo`, made from it by `make texts`, for the process; what a catalogue leaves out stays English.

Promises: which language is spoken is decided at the edges, by `speaking`, and holds for that task and those it starts; without a
word it is English. Pure but for reading catalogues, each once. Never: translates logs, errors of settings and rules, or what
people typed.
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
LANGUAGES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {ENGLISH: ("English",), "zh": ("简体中文", "中文", "Chinese")}
)
"""By code: what each calls itself, and other names that people may type."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language."""

    language: str
    texts: gettext.NullTranslations


_ENGLISH: Final = Catalogue(ENGLISH, gettext.NullTranslations())
_spoken: ContextVar[Catalogue] = ContextVar("language", default=_ENGLISH)


@cache
def catalogue(language: str) -> Catalogue:
    """That of a language in `LANGUAGES`; English for any other."""
    if language == ENGLISH or language not in LANGUAGES:
        return _ENGLISH
    with resources.files(__name__).joinpath(f"{language}.mo").open("rb") as file:
        return Catalogue(language, gettext.GNUTranslations(file))


def language_of(typed: str) -> str | None:
    """The code of a language by its name, or by an IETF tag such as `zh-hans` or `en-GB`; None for one that we do not have."""
    wanted = typed.strip().casefold()
    code = wanted.replace("_", "-").partition("-")[0]
    if code in LANGUAGES:
        return code
    return next((one for one, names in LANGUAGES.items() if wanted in (name.casefold() for name in names)), None)


@contextmanager
def speaking(language: str | Catalogue) -> Iterator[None]:
    """Within it texts are in that language, in this task and those it starts; an empty or unknown one is English."""
    token = _spoken.set(language if isinstance(language, Catalogue) else catalogue(language))
    try:
        yield
    finally:
        _spoken.reset(token)


def say(text: str, /, **values: object) -> str:
    """A text in the language spoken now. `{name}` stands for a value, which may have a format: `{share:.1f}`."""
    # The empty text is where a catalogue keeps its header.
    found = _spoken.get().texts.gettext(text) if text else text
    return found.format(**values) if values else found


def say_n(one: str, many: str, n: int, /, **values: object) -> str:
    """The form of a text for that number, which is `{n}` in it."""
    return _spoken.get().texts.ngettext(one, many, n).format(n=n, **values)


def say_as(context: str, text: str, /, **values: object) -> str:
    """A text that other languages say in different ways by what it means: `context` tells that to translators."""
    found = _spoken.get().texts.pgettext(context, text)
    return found.format(**values) if values else found


def mark(text: str) -> str:
    """A text that is said later, by `say` of a name: here it is only noted for the catalogues."""
    return text
