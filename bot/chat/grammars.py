"""Argument text of commands to words: one function for each kind of arguments. They never raise."""

import re
from typing import Final

from bot.chat.durations import joined, leading
from bot.chat.spec import Problem
from bot.texts import say

MAX_SYMBOLS: Final = 20
MAX_WORD_CHARS: Final = 40
MAX_CHART_WORDS: Final = 5
MAX_WHY_WORDS: Final = 7
MAX_ALERT_WORDS: Final = 80
MAX_ALERT_WORD_CHARS: Final = 200
MAX_SILENCE_WORDS: Final = 60
INVITED_ROLES: Final = ("viewer", "member", "admin")
FATES: Final = (*INVITED_ROLES, "remove", "decline", "block")
"""What may become of a person."""

TOP_WORDS: Final = {
    "oi": "oi", "interest": "oi", "price": "price", "prices": "price", "movers": "price", "p": "price",
    **dict.fromkeys(("gainers", "gainer", "winners", "winner", "risers", "pumps", "up"), "gainers"),
    **dict.fromkeys(("losers", "loser", "fallers", "dumps", "down"), "losers"),
    "funding": "funding", "fundings": "funding", "f": "funding", "volume": "volume", "volumes": "volume", "vol": "volume",
}  # fmt: skip
TOP_WINDOWS: Final = {
    "5m": "5m",
    "15m": "15m",
    "1h": "1h",
    "60m": "1h",
    "4h": "4h",
    "24h": "24h",
    "1d": "24h",
    "hour": "1h",
    "hourly": "1h",
    "day": "24h",
    "daily": "24h",
    "today": "24h",
}
_TOP_FILLERS: Final = frozenset(
    {"by", "in", "over", "of", "for", "on", "the", "last", "past", "this", "an", "a", "open", "rate", "rates", "coins", "contracts", "now", "page", "and", "&"}
)  # fmt: skip

_BETWEEN: Final = frozenset({"of", "and", "&", "vs", "for", "usd", "usdt"})
"""Between symbols."""
_KINDS: Final = frozenset({"perp", "perps", "perpetual", "perpetuals", "futures"})
"""Behind a symbol, in small letters: there is a contract PERP."""
_AROUND: Final = re.compile(
    r"^(?:please\s+)?(?:(?:show|give|tell|get)\s+me\s+)?(?:the\s+)?(?:rates?\s+)?(?=\S)|\s+(?:please|pls|now|in\s+(?:usdt?|dollars))[\s?!.]*$"
)
"""Around symbols; small letters alone, since there are contracts ME and THE."""
_CHART_FILLERS: Final = frozenset(
    {"of", "for", "with", "over", "in", "and", "&", "vs", "last", "past", "please", "show"}
)
_CHART_SPANS: Final = {"daily": "24h", "today": "24h", "day": "24h", "hour": "1h", "week": "7d", "month": "30d", "year": "1y", "1M": "30d"}  # fmt: skip
_ASKING: Final = frozenset({"did", "does", "is", "has", "fire", "fired", "firing", "alert", "about"})
"""Words of a question beside a symbol and a rule."""
_LIST_NAME = re.compile(r"[a-z0-9_-]{1,20}", re.ASCII)
_SPAN_APART = re.compile(r"(?<![\w.])([0-9]{1,5})\s+(m|min|h|d|w|y)(?=\s|$)", re.ASCII | re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s,;，；、]+")


def anything(_text: str) -> tuple[str, ...] | Problem:
    """What stands behind it does not matter."""
    return ()


def nothing(text: str) -> tuple[str, ...] | Problem:
    words = text.split()
    return Problem(say("I expected nothing behind it, not {found}.", found=words[0][:MAX_WORD_CHARS])) if words else ()


def symbols(text: str) -> tuple[str, ...] | Problem:
    if re.fullmatch(r"rates?", text, re.IGNORECASE):
        return ()
    typed = joined([word for word in _SEPARATORS.split(_SPAN_APART.sub(r"\1\2", _AROUND.sub("", text))) if word])
    words = tuple(dict.fromkeys(typed))
    words = tuple(word for word in words if word.casefold() not in _BETWEEN and word not in _KINDS) or words
    if len(words) > MAX_SYMBOLS:
        return Problem(say("That is {n} symbols; I take up to {most} at once.", n=len(words), most=MAX_SYMBOLS))
    if any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem(say("A symbol has at most {n} characters.", n=MAX_WORD_CHARS))
    return words


def why(text: str) -> tuple[str, ...] | Problem:
    words = tuple(name for word in _SEPARATORS.split(text) if (name := word.strip("?!.")))
    words = tuple(word for word in words if word not in _ASKING) or words
    if len(words) > MAX_WHY_WORDS:
        return Problem(say("That is {n} words; I take a symbol and a rule.", n=len(words)))
    if any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem(say("A symbol or a rule has at most {n} characters.", n=MAX_WORD_CHARS))
    return words


def chart(text: str) -> tuple[str, ...] | Problem:
    """A symbol, a span, and panels to add."""
    typed = _SEPARATORS.split(_SPAN_APART.sub(r"\1\2", _AROUND.sub("", text)))
    words = tuple(_CHART_SPANS.get(one, one) for word in joined(typed) if (one := word.rstrip("?!.")))
    words = tuple(word for word in words if word.casefold() not in _CHART_FILLERS) or words
    if len(words) > MAX_CHART_WORDS or any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem(say("I take one symbol and a span."))
    return words


def top(text: str) -> tuple[str, ...] | Problem:
    """What to rank by, over which window, which page; in any order. Words as the table names them: `oi`, `15m`, `2`."""
    by, window, page = "oi", "15m", "1"
    words = [word.strip(".,;!?$#") for word in joined(text.casefold().split())]
    offers: tuple[str, ...] = ("/top gainers 1h", "/top losers 1h")
    if len(words) > 1 and words[0].isdigit() and words[1] in TOP_WORDS:
        # `top 10 gainers` says how many.
        words = words[1:]
    for word in words if words != ["10"] else ():
        if word in TOP_WORDS:
            # Both ways are those of the price.
            by = "price" if {by, TOP_WORDS[word]} == {"gainers", "losers"} else TOP_WORDS[word]
        elif word in _TOP_FILLERS or not word:
            continue
        elif word in TOP_WINDOWS:
            window = TOP_WINDOWS[word]
        elif re.fullmatch(r"[1-9][0-9]{0,2}", word, re.ASCII):
            page = word
        else:
            if leading([word]) is None and len(word) <= MAX_WORD_CHARS:
                offers = f"/oi {word}", *offers
            said = say("I rank by oi, price, gainers, losers, funding or volume, over 5m, 15m, 1h, 4h or 24h.")
            return Problem(said, offers)
    return (by, window, page)


def names(text: str) -> tuple[str, ...] | Problem:
    """The name of a list, and symbols for it."""
    typed = text.replace("=", " ")
    words = symbols(typed)
    if isinstance(words, tuple) and (first := _SEPARATORS.split(_AROUND.sub("", typed))[0]) in _KINDS:
        # In front of symbols it is what their list is called.
        words = (first, *(word for word in words if word != first))
    if isinstance(words, Problem) or not words or _LIST_NAME.fullmatch(words[0].removeprefix("@").casefold()):
        return words
    return Problem(say("The name of a list is made of up to 20 letters, digits, - and _."))


def topic(text: str) -> tuple[str, ...] | Problem:
    words = text.split()
    return (words[0].removeprefix("/").casefold()[:MAX_WORD_CHARS],) if words else ()


def alert(text: str) -> tuple[str, ...] | Problem:
    words = tuple(text.split())
    if len(words) > MAX_ALERT_WORDS or any(len(word) > MAX_ALERT_WORD_CHARS for word in words):
        return Problem(say("That is too long for an alert."))
    return words


def person(text: str) -> tuple[str, ...] | Problem:
    """The number of a person, and perhaps a word that says what becomes of them."""
    words = text.casefold().split()
    if len(words) not in {1, 2} or not re.fullmatch(r"[0-9]{1,16}", words[0], re.ASCII):
        return Problem(say("I expected the id of a person, as /users shows it."))
    if len(words) == 2 and words[1] not in FATES:
        return Problem(say("I expected one of {words}.", words=", ".join(FATES)))
    return tuple(words)


def role(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or the role that an invitation gives."""
    words = text.casefold().split()
    if len(words) > 1 or (words and words[0] not in INVITED_ROLES):
        return Problem(say("I expected {words}, or nothing.", words=", ".join(INVITED_ROLES)))
    return tuple(words)


def on_off(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or `off`."""
    words = text.casefold().split()
    return tuple(words) if words in ([], ["off"]) else Problem(say("I expected nothing, or off."))


def me(text: str) -> tuple[str, ...] | Problem:
    """`me`, and once more to be sure."""
    words = text.casefold().split()
    return tuple(words) if words in (["me"], ["me", "yes"]) else Problem(say("I forget whoever asks, and nobody else."))


def page(text: str) -> tuple[str, ...] | Problem:
    words = text.split()
    if not words:
        return ()
    if len(words) > 1 or not re.fullmatch(r"[0-9]{1,4}", words[0], re.ASCII):
        return Problem(say("I expected the number of a page, or nothing."))
    return (words[0],)


def alert_or_page(text: str) -> tuple[str, ...] | Problem:
    """Nothing, the number of a page, the first characters of an alert's id with its prefix, or a symbol."""
    words = text.casefold().removeprefix("#").split()
    if not words:
        return ()
    if len(words) > 1 or len(words[0]) > MAX_WORD_CHARS:
        return Problem(say("I expected the number of a page, the id of an alert, a symbol, or nothing."))
    return (words[0],)


def status(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or `details`."""
    words = text.casefold().split()
    if words and words not in (["details"], ["all"], ["full"]):
        return Problem(say("I expected details, or nothing."))
    return ("details",) if words else ()


def alert_prefix(text: str) -> tuple[str, ...] | Problem:
    """Some characters of an id, with or without the mark and the `a-`, or several such; `all`; `all yes`, and how many."""
    words = [word for word in _SEPARATORS.split(text.casefold()) if word]
    if words[:2] == ["all", "yes"] and (not words[2:] or re.fullmatch(r"[0-9]{1,6}", " ".join(words[2:]), re.ASCII)):
        return tuple(words)
    if words in (["all"], ["#all"]):
        return ("all",)
    if not words or len(words) > MAX_SYMBOLS:
        return Problem(say("I expected the id of one alert, or all."))
    digits = tuple(word.removeprefix("#").removeprefix("a-").removeprefix("c_") for word in words)
    if not all(re.fullmatch(r"[0-9a-z]{4,8}", one, re.ASCII) for one in digits):
        return Problem(say("I expected four to eight characters of an alert's id, or all."))
    return tuple(dict.fromkeys(digits))


def dead_letters(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or `retry` and an id or `all`."""
    words = text.casefold().replace("#", "").split()
    if not words:
        return ()
    if len(words) != 2 or words[0] != "retry" or not re.fullmatch(r"[0-9a-z]{3,8}", words[1], re.ASCII):
        return Problem(say("I expected nothing, or retry and an id or all."))
    return tuple(words)


def board(text: str) -> tuple[str, ...] | Problem:
    """Nothing, `on` or `off`; `resume` is what its button says."""
    words = tuple(text.casefold().split())
    if len(words) > 1 or not {"on", "off", "resume"}.issuperset(words):
        return Problem(say("I expected on, off or nothing."))
    return words


def few_words(text: str) -> tuple[str, ...] | Problem:
    """Read by the command itself."""
    words = tuple(text.split())
    return words if len(words) <= MAX_SILENCE_WORDS else Problem(say("That is too long for me."))


_QUIET_MEANT: Final = frozenset(
    {"all", "alerts", "alert", "everything", "messages", "bot", "the", "it", "now", "please"}
)
"""Behind `/stop`: no contract, but silence is wanted."""


def stop_words(text: str) -> tuple[str, ...] | Problem:
    words = [word.strip(".,!?") for word in text.casefold().split()]
    if not _QUIET_MEANT.issuperset(words):
        return few_words(text)
    said = say("It tells where a stop could stand; /silence 2h is for quiet. I expected a symbol and long or short.")
    return Problem(said, ("/silence all here 2h",))


def silence_prefix(text: str) -> tuple[str, ...] | Problem:
    words = text.casefold().rstrip(".!").split()
    if words in (["all"], ["everything"]):
        return ("all",)
    found = tuple(dict.fromkeys(word.removeprefix("s-") for word in words))
    if not found or len(found) > MAX_SYMBOLS:
        return Problem(say("I expected the id of a silence, or all."))
    if "all" in found or not all(re.fullmatch(r"[0-9a-z]{1,8}", digits, re.ASCII) for digits in found):
        like = (f"/silence {' '.join(words)} off",) if "s-all" not in words and len(text) <= MAX_ALERT_WORDS else ()
        return Problem(say("I expected the first characters of a silence's id, or all."), like)
    return found


def stop_care(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or `off` and an id or `all`."""
    words = text.casefold().split()
    if not words:
        return ()
    if len(words) != 2 or words[0] != "off":
        return Problem(say("I expected nothing, or off and an id or all."))
    wanted = words[1].removeprefix("w-")
    if not re.fullmatch(r"[0-9a-z]{3,8}", wanted, re.ASCII):
        return Problem(say("I expected four to eight characters of an id, or all."))
    return ("off", wanted)


def destination(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or the name of one destination."""
    words = tuple(text.split())
    if len(words) > 1 or any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem(say("I expected the name of one destination, or nothing."))
    return words


def tuning(text: str) -> tuple[str, ...] | Problem:
    """An id, and what changes."""
    words = text.casefold().split()
    if len(words) < 2 or not re.fullmatch(r"(a-)?[0-9a-z]{4,8}", words[0], re.ASCII):
        return Problem(say("I expected the id of an alert and what changes."))
    return tuple(words[:MAX_ALERT_WORDS])


def undoing(text: str) -> tuple[str, ...] | Problem:
    """The whole id of an alert; behind it that of the one whose place it took."""
    words = tuple(text.casefold().split())
    if not 1 <= len(words) <= 2 or not all(re.fullmatch(r"(a-|c_)[0-9a-z]{8}", word, re.ASCII) for word in words):
        return Problem(say("I expected the whole id of one alert."))
    return words
