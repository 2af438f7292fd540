"""How people put an alert, before the grammar reads it: spelled-out words shortened, parts brought into their order.

    alert me if the open interest of BTC rises by 5 % in the last 15 minutes     →     BTC oi rises 5% 15m
    oi > 5% 15m btc · btc 5% oi · btc eth oi ±4% 1h · btc > 100k · btc price crosses above 100k

Changes nothing that is in order already, and leaves alone what could mean two things.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from bot.chat.alert_words import (
    CROSSES,
    DOLLARS,
    DOWN,
    EQUALS,
    EVERYTHING,
    MOVES,
    ONE_WAY,
    OPERATORS,
    OPTIONS,
    SPLIT,
    TIMES,
    UP,
    figure_of,
    is_comparison,
    number,
)
from bot.chat.durations import UNIT_WORDS
from bot.rules.ast import DAY_MS, HOUR_MS
from bot.rules.literals import parse_duration_ms

_BEFORE_TIME: Final = r"(?:in|within|over|during|inside|per)"

MAX_LIKELY_MS: Final = 4 * HOUR_MS
"""Of a window in minutes; more of them are rather millions."""
_WINDOWS: Final = frozenset({"1m", "5m", "10m", "15m", "30m", "60m", "120m", "240m"})
"""As likely windows as millions, so that it is asked where nothing else is the window."""

_Put = str | Callable[[re.Match[str]], str]
_Rule = tuple[re.Pattern[str], _Put]


def _rule(pattern: str, put: _Put) -> _Rule:
    return re.compile(rf"(?<![\w$./-]){pattern}(?![\w/-])", re.IGNORECASE), put


_NUMBERS: Final[tuple[_Rule, ...]] = (
    (
        re.compile(
            r"[\"'“”‘’«»`]|[!?.;,:]+$|^(?:please|pls)\s+|[\s,]+(?:please|pls|thanks|thx)[!?.;,:]*$", re.IGNORECASE
        ),
        "",
    ),
    *(
        (re.compile(rf"(?<![\w$.,])(\$?[0-9][0-9.,_]*)\s*(?:{words})(?=\s|$)", re.IGNORECASE), rf"\1{unit}")
        for unit, words in (
            ("k", "thousand|к|тыс"),
            ("M", "millions?|mln|mio|mn|mm|млн"),
            ("B", "billions?|bln|bn|млрд"),
        )
    ),
    (re.compile(r"(?<=[0-9]%)[/,]?(?=[0-9])"), " "),
    (re.compile(r"(?<=\s)(oi|price|funding|basis|vol|volume)(?=[+-][0-9])", re.IGNORECASE), r"\1 "),
    (re.compile(r"(?<![\w$.,])([0-9][0-9.,_]*[kmb]?)\$(?=\s|$)", re.IGNORECASE), r"$\1"),
    (re.compile(r"(?<=\s)x([0-9.]+)(?=\s|$)", re.IGNORECASE), r"\1x"),
    (re.compile(r"(?<=[0-9])\s+times(?:\s+the)?(?:\s+(?:usual|normal|average))?(?=\s|$)", re.IGNORECASE), "x"),
    (
        re.compile(r"(?<=\s)over\s+(?=(?:24[1-9]|2[5-9][0-9]|[3-9][0-9]{2}|[1-9][0-9]{3,})m(?:\s|$))", re.IGNORECASE),
        "> ",
    ),
    (re.compile(r"(?:(?<=%)|(?<=[0-9][smhd])),\s*(?=(?:and|or)\s)", re.IGNORECASE), " "),
    (
        re.compile(
            r",(?=(?:only|just|once|silent|silently|for|every|cooldown|until|till|in|within)(?:\s|$))", re.IGNORECASE
        ),
        " ",
    ),
    (re.compile(r"(?<=[0-9]) (?=[0-9]{3}(?![\w.]))"), ""),
    (re.compile(r"(?<=[0-9.])\s+(?=[%×])"), ""),
    (re.compile(r"(?<=[0-9.])\s+x(?=\s|$)", re.IGNORECASE), "x"),
    (re.compile(r"(?<=[0-9])\s+(?=[ap]m(?:\s|$))", re.IGNORECASE), ""),
    (re.compile(r"(?<=[0-9])\s*(?:per\s?cent|pct)(?=\s|$)", re.IGNORECASE), "%"),
    (re.compile(r"(?<![\w$.,])([0-9][0-9.,_]*[kmb]?)\s*(?:usd|usdt|dollars?)(?=\s|$)", re.IGNORECASE), r"$\1"),
)
_TIMES: Final[tuple[_Rule, ...]] = (
    *(
        (re.compile(rf"(?<![\w$.])([0-9]+)\s*-?(?:{'|'.join(words)})(?=\s|$)", re.IGNORECASE), rf"\1{unit}")
        for unit, words in UNIT_WORDS.items()
    ),
    # A capital M is a million.
    (re.compile(r"(?<![\w$.])([0-9]+)\s+([smhd])(?=\s|$)"), r"\1\2"),
    *(
        _rule(rf"({_BEFORE_TIME}|every|for)\s+(?:the\s+)?(?:(?:last|past|an?|one)\s+)?{word}", rf"\1 1{unit}")
        for unit, word in (("m", "minute"), ("h", "hour"), ("d", "day"))
    ),
    _rule(rf"{_BEFORE_TIME}\s+(?:the\s+)?(?:(?:last|past)\s+)?([0-9]+[smhd])", r"\1"),
    _rule(r"(?:the\s+)?(?:last|past)\s+([0-9]+[smhd])", r"\1"),
    *(
        _rule(rf"(?:the\s+)?(?:(?:last|past)\s+{word}|{often})", put)
        for word, often, put in (("hour", "hourly", "1h"), ("day", "daily", "24h"))
    ),
)
_FIGURE: Final = r"(oi|oi_usd|price|index|funding|funding_8h|basis)"
_SIZE: Final = r"([-+]?\$?[0-9][0-9.,_]*[kKmMbB%]?)"
_ALSO_WINDOW: Final = r"(?:\s+([0-9]+[smhd]))?"


def _band(found: re.Match[str]) -> str:
    """Both ends of a band: the lower first, in the same unit, over the same window. As it was where that is not clear."""
    figure, word, first, second, window = found.groups()
    if (unit := second[-1]) in "kKmMbB%" and first[-1].isdigit() and (unit == "%" or _size(first) < _size(second[:-1])):
        # `80 and 90k`, `3 and 5%`.
        first += unit
    elif first.endswith("%") and second[-1].isdigit():
        second += "%"
    low, high = sorted((first, second), key=_size)
    if not _size(low) < _size(high) or (low == second and first[-1].isdigit() is not second[-1].isdigit()):
        return found[0]
    behind = f" {window}" if window else ""
    below, joint, above = ("<", "or", ">") if word.casefold() == "outside" else (">", "and", "<")
    return f"{figure} {below} {low}{behind} {joint} {figure} {above} {high}{behind}"


def _size(typed: str) -> float:
    """Of which an m is a million; not a number where it is none."""
    read = number(f"{typed[:-1]}M" if typed[-1] == "m" else typed)
    return math.nan if read is None else -read[1].value if read[0] == "-" else read[1].value


_WORDS: Final[tuple[_Rule, ...]] = (
    _rule(r"open\s+interest", "oi"),
    (re.compile(r"^the\s+(?=(?:oi|price|funding|volume)\b)", re.IGNORECASE), ""),
    _rule(r"oi\s+(?:in\s+)?(?:\$|usd|usdt|dollars)", "oi_usd"),
    _rule(r"funding\s+rate", "funding"),
    _rule(r"(?:mark\s+|last\s+)price", "price"),
    _rule(r"long\s+(?:liquidations?|liqs?)|liquidated\s+longs|longs\s+liquidated", "liq_long"),
    _rule(r"short\s+(?:liquidations?|liqs?)|liquidated\s+shorts|shorts\s+liquidated", "liq_short"),
    _rule(r"(?:long/short|long\s+short|ls)(?:\s+ratio)?", "long_short"),
    _rule(r"(up|down|rises|falls|drops|gains|loses|jumps|moves|changes)\s+(?:by\s+)?(?:(?:more|greater)\s+th[ae]n|at\s+least|over)", r"\1"),
    _rule(r"(?:is\s+)?(?:greater|more|higher|bigger|larger)\s+th[ae]n", ">"),
    _rule(r"(?:is\s+)?(?:less|lower|smaller)\s+th[ae]n", "<"),
    _rule(rf"{_FIGURE}\s+(?:is\s+)?(between)\s+{_SIZE}\s+and\s+{_SIZE}{_ALSO_WINDOW}", _band),
    _rule(rf"{_FIGURE}\s+(?:is\s+)?(outside)\s+(?:of\s+)?{_SIZE}\s+(?:and|to)\s+{_SIZE}{_ALSO_WINDOW}", _band),
    _rule(r"(?:is\s+)?at\s+least", ">="),
    _rule(r"(?:is\s+)?at\s+most", "<="),
    _rule(r"(?:goes|go|moves|rises|climbs|breaks|crosses|cross|gets)\s+(?:above|over)|breaks\s+out\s+above", "crosses_above"),
    _rule(r"(?:goes|go|moves|falls|drops|dips|breaks|crosses|cross|gets)\s+(?:below|under)", "crosses_below"),
    _rule(r"(?:goes|moves|rises|climbs|falls|drops|dips|gets|comes)\s+to", "crosses"),
    _rule(r"(?:goes|go|moves|went)\s+up", "up"),
    _rule(r"(?:goes|go|moves|went)\s+down", "down"),
    _rule(r"(?:(?:turns|goes|gets|is|becomes)\s+)?positive", "> 0%"),
    _rule(r"(?:(?:turns|goes|gets|is|becomes)\s+)?negative", "< 0%"),
    _rule(r"(?:flips|changes\s+sign)", "crosses 0%"),
    (re.compile(r"^top\s+([0-9]{1,4})(?=\s)", re.IGNORECASE), r"top\1"),
    _rule(r"only\s+once|one\s+time|just\s+once|once\s+only", "once"),
)  # fmt: skip
_TO_ME: Final = re.compile(
    r"^(?:please\s+)?(?:(?:tell|alert|notify|ping|warn)\s+)?(?:me\s+)?(?:when|if)\s+(?=\S)", re.IGNORECASE
)
_FILLERS: Final = frozenset({"the", "is", "are", "of", "on", "by", "has", "its", "if", "me"})


_BEHIND_SYMBOL: Final = frozenset({"usd", "usdt", "perpetual", "perps", "coins", "contracts"})
"""Of a contract, and no other one; there is one PERP."""
_LINKS: Final = frozenset({"and", "&", "+", "or"})
"""Between symbols."""
_WEEKS: Final = re.compile(r"[0-9]{1,2}w|weeks?", re.ASCII | re.IGNORECASE)
_MINUTES: Final = re.compile(r"(\$?[0-9][0-9._]*)m", re.ASCII)
_DOLLARS_OF: Final = "|".join(sorted(DOLLARS, key=len, reverse=True))
_IN_DOLLARS: Final = re.compile(
    rf"(\b(?:(?:sum|delta|avg|min|max)\(\s*(?:{_DOLLARS_OF})\b[^()]*\)|(?:{_DOLLARS_OF}))\s*[<>]=?\s*[0-9][0-9._]*)m\b", re.IGNORECASE
)  # fmt: skip


def plain_signs(typed: str) -> str:
    """Without the wider signs that keyboards of other scripts write."""
    return unicodedata.normalize("NFKC", typed).replace("−", "-").replace("、", ",")


def to_me(typed: str) -> str:
    """Without `tell me when` before it."""
    return _TO_ME.sub("", typed, count=1)


def short(typed: str) -> str:
    """Words and numbers as the grammar knows them."""
    for pattern, put in (*_NUMBERS, *_TIMES, *_WORDS):
        typed = pattern.sub(put, typed)
    return typed


def listed(words: Sequence[str]) -> list[str]:
    """`BTC and ETH` at the beginning as `BTC,ETH`; what is no symbol is left where it is."""
    whom, rest = list(words[:1]), list(words[1:])
    if not whom or _kind(whom[0]) != "w":
        return list(words)
    *before, last = whom[0].split(",")
    if before and last.casefold() in _LINKS and rest and _kind(rest[0]) == "w":
        whom = [*before, rest.pop(0)]
    while len(rest) > 1 and rest[0].casefold() in _LINKS and _kind(rest[1]) == "w":
        # `BTC, and ETH` has two of them.
        if rest[1].casefold() not in _LINKS:
            whom.append(rest[1])
            del rest[1]
        del rest[0]
    return [",".join(one.strip(",") for one in whom), *rest]


def millions(condition: str) -> str:
    """An expression in which an m behind an amount of dollars is no minute: `oi_usd > 500M` for `oi_usd > 500m`."""
    return _IN_DOLLARS.sub(r"\1M", condition)


def _in_millions(body: Sequence[str]) -> list[str]:
    """`vol > 500m` as `vol > 500M`: directly behind a comparison of dollars stands no window, unless the number follows it."""
    found = list(body)
    has_window = sum(_kind(word) == "t" for word in body) > 1
    for k, word in enumerate(body):
        amount = _MINUTES.fullmatch(word)
        if not k or amount is None or not _compares(body[k - 1]) or _is_number(body[k + 1 : k + 2]):
            continue
        if word in _WINDOWS and not has_window:
            continue
        if next((one for one in map(figure_of, reversed(body[:k])) if one), None) in DOLLARS:
            found[k] = f"{amount[1]}M"
    return found


def _compares(word: str) -> bool:
    return word.casefold() in {*OPERATORS, *ONE_WAY, *EQUALS, *CROSSES}


def _is_number(words: Sequence[str]) -> bool:
    return bool(words) and _kind(words[0]) == "n"


def ordered(words: Sequence[str]) -> list[str]:
    """Whom, figure, comparison, number, window; options behind them."""
    first = next((k for k, word in enumerate(words) if word.casefold() in OPTIONS), len(words))
    body = [word for k, word in enumerate(words[:first]) if not k or word.casefold() not in _FILLERS]
    body = [word for k, word in enumerate(body) if not k or (word.casefold() not in _BEHIND_SYMBOL and word != "perp")]
    body = _in_millions(listed(body))
    return [*(_placed(body) or body), *words[first:]]


def _placed(body: Sequence[str]) -> list[str] | None:
    """The parts in their order; None where one is missing, or there twice."""
    kinds = [_kind(word) for word in body]
    found = {kind: [word for word, of in zip(body, kinds, strict=True) if of == kind] for kind in "wfcnt"}
    if any(len(found[kind]) > 1 for kind in "fcnt") or not found["w"] or not found["n"]:
        return None
    whom, figure, compared, (size,), window = (found[kind] for kind in "wfcnt")
    if len(whom) > 1:
        at = kinds.index("w")
        if not figure or kinds[at : at + len(whom)] != ["w"] * len(whom):
            return None
        whom = [",".join(one.strip(",") for one in whom if one.casefold() not in _LINKS)]
    is_level = not size.endswith("%") and not TIMES.match(size.casefold())
    if not figure and compared and is_level and (compared[0].casefold() in OPERATORS or compared[0] in EQUALS):
        figure = ["price"]
    if figure and is_level and compared and compared[0] in EQUALS:
        compared = ["crosses"]
    if figure and size.startswith("$") and figure_of(figure[0]) == "oi":
        figure = ["oi_usd"]
    return [*whom, *figure, *compared, size, *window]


def _kind(word: str) -> str:
    if is_comparison(word):
        return "c"
    if figure_of(word) is not None:
        return "f"
    if number(word) is not None:
        return "n"
    return "t" if parse_duration_ms(word.casefold()) is not None else "w"


def instead(typed: str) -> tuple[str, ...]:
    """Commands that are like what was typed and can be read: the same symbols, the same figure where there is one."""
    body = listed(SPLIT.sub(r" \1 ", short(to_me(typed))).split())
    kinds = {_kind(word): word for word in reversed(body)}
    whom = kinds.get("w", "BTC")
    if whom.casefold() in EVERYTHING:
        whom = "top100"
    if any(word.casefold() in {"high", "highs", "ath"} for word in body):
        return ("/alert WHOM when price >= max(price, 24h)".replace("WHOM", whom),)
    if any(word.casefold() in {"low", "lows", "atl"} for word in body):
        return ("/alert WHOM when price <= min(price, 24h)".replace("WHOM", whom),)
    if "(" in whom or len(whom) > 40:
        whom = "BTC"
    window = kinds.get("t", "15m")
    if (parse_duration_ms(window) or 0) > DAY_MS or any(map(_WEEKS.fullmatch, body)):
        window = "24h"
    typed_size = kinds.get("n", "5%")
    size = typed_size
    size = size if size.endswith("%") else "5%"
    put = _put(body, size)
    figure = figure_of(kinds["f"]) if "f" in kinds else None
    if any(word.casefold() in {"liq", "liqs", "liquidation", "liquidations"} for word in body):
        found = next((one for one in map(_MINUTES.fullmatch, body) if one and "n" not in kinds), None)
        amount = f"{found[1]}M" if found else kinds.get("n", "5M")
        amount, window = amount if amount[-1] in "kKMB" else "5M", window if found is None and "n" in kinds else "15m"
        return tuple(f"/alert {whom} {name} > {amount} {window}" for name in ("liq_long", "liq_short"))
    if (amounts := _amount_instead(body, figure)) and figure is not None:
        return tuple(f"/alert {whom} {one}" for one in amounts)
    match figure:
        case None:
            return tuple(f"/alert {whom} {name} {put or size} {window}" for name in ("oi", "price"))
        case "volume":
            return (f"/alert {whom} vol > 3x {window}", f"/alert {whom} vol > 5x {window}")
        case "funding" | "funding_8h" | "basis":
            level = "< -0.05%" if put.startswith(("-", "<")) else "> 0.05%"
            found_size = number(typed_size)
            if found_size is not None and not found_size[1].unit and 0 < found_size[1].value < 1:
                # A percentage without its sign.
                level = f"{level[0]} {typed_size}%"
            return (f"/alert {whom} {figure} {level}", f"/alert {whom} {figure} ±0.10%")
        case "liq_long" | "liq_short":
            return (f"/alert {whom} {figure} > 5M {window}",)
        case "price" | "index" if not typed_size.endswith("%") and not TIMES.match(typed_size.casefold()):
            sign = next((f"{way} " for word in body if (way := OPERATORS.get(word.casefold()))), "")
            return (
                f"/alert {whom} {figure} {sign}{typed_size}",
                f"/alert {whom} {figure} {put or '> ' + size} {window}",
            )
        case "oi" | "oi_usd" | "price" | "index":
            put = put or "> " + size.lstrip("+")
            return (f"/alert {whom} {figure} {put} {window}", f"/alert {whom} {figure} ±3% 5m")
        case _:
            return (f"/alert {whom} oi > 5% 15m",)


def _amount_instead(body: Sequence[str], figure: str | None) -> tuple[str, ...]:
    """Where `500m` stands for an amount, or may; open interest is counted in coins, so that dollars are asked back."""
    for before, word in pairwise(body):
        amount = _MINUTES.fullmatch(word)
        if amount is None or not (_compares(before) or figure == "volume"):
            continue
        sign = OPERATORS.get(before.casefold(), ">")
        is_long = (parse_duration_ms(word) or MAX_LIKELY_MS + 1) > MAX_LIKELY_MS
        window = "15m" if is_long else word
        match figure:
            case "oi" | "oi_usd":
                both = f"oi_usd {sign} {amount[1]}M", f"{figure} {sign} 5% {window}"
            case "volume" if is_long or _compares(before):
                both = f"vol {sign} {amount[1]}M 15m", f"vol > 3x {window}"
            case "liq_long" | "liq_short":
                return (f"{figure} {sign} {amount[1]}M 15m",)
            case _:
                return ()
        return both if is_long else both[::-1]
    return ()


def _put(body: Sequence[str], size: str) -> str:
    """A size as it was meant, where that is not a rise: `-3%` a fall, `±3%` both ways, `< 3%`; else empty."""
    bare = size.lstrip("+±-/")
    if size.startswith(("±", "+-", "+/-")):
        return f"±{bare}"
    if size.startswith("-"):
        return f"-{bare}"
    # Like the figure and the size, the first way that is named.
    for word in map(str.casefold, body):
        if word in MOVES:
            return f"±{bare}"
        way = OPERATORS.get(word) or ONE_WAY.get(word)
        if word in DOWN or (word in ONE_WAY and way == "<="):
            return f"-{bare}"
        if word in UP or way:
            return f"< {bare}" if way in {"<", "<="} else ""
    return ""
