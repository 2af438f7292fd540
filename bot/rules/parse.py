"""Text -> checked expression. Never raises on any text: what is wrong comes back as faults with places and hints.

Length and depth are bounded before the parser runs, the number of parts after it; the parser itself is a table (LALR)
and does not recurse, so no text can exhaust the stack or take long.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import nan
from typing import Any, Final, cast

from lark import Lark, Token
from lark.exceptions import UnexpectedToken
from lark.visitors import Transformer_NonRecursive

from bot.rules.ast import (
    And,
    ArithmeticOp,
    BinaryOp,
    Call,
    Compare,
    CompareOp,
    Expr,
    Neg,
    Not,
    Number,
    Or,
    Series,
    Span,
    walk,
)
from bot.rules.check import Fault, check
from bot.rules.literals import parse_number
from bot.rules.schema import Per

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 50
MAX_NODES: Final = 200


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression, where no fault is an error; and all faults, in the order of their places."""

    expr: Expr | None
    faults: tuple[Fault, ...]


def parse_condition(text: str, *, per: Per = "symbol") -> Parsed:
    """Read a `when` or `clear`."""
    return _parse(text, per=per, wants_condition=True)


def parse_value(text: str, *, per: Per = "symbol") -> Parsed:
    """Read a `value`: an expression that gives a number."""
    return _parse(text, per=per, wants_condition=False)


def _parse(text: str, *, per: Per, wants_condition: bool) -> Parsed:
    tree = _read(text)
    if isinstance(tree, Fault):
        return Parsed(None, (tree,))
    expr, bad_literals = tree
    checked = check(expr, per=per, wants_condition=wants_condition)
    faults = tuple(sorted((*bad_literals, *checked)))
    return Parsed(None if any(fault.is_error for fault in faults) else expr, faults)


def _read(text: str) -> "tuple[Expr, tuple[Fault, ...]] | Fault":
    if too_large := _too_large(text):
        return too_large
    builder = _Builder()
    try:
        expr = cast("Expr", builder.transform_tokens(text))
    except UnexpectedToken as unexpected:
        return _syntax_fault(text, unexpected)
    n_nodes = sum(1 for _ in walk(expr))
    if n_nodes > MAX_NODES:
        return Fault(0, "E211", len(text), f"the expression has {n_nodes} parts; at most {MAX_NODES} are allowed")
    return expr, tuple(builder.faults)


def _too_large(text: str) -> Fault | None:
    if len(text) > MAX_LENGTH:
        return Fault(0, "E211", 1, f"the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed")
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth > MAX_DEPTH:
            return Fault(place, "E211", 1, f"parentheses are nested deeper than {MAX_DEPTH}")
    return None


class _KeepOther:
    """Tells lark to keep the token of the grammar that no rule accepts; it would drop it as unused."""

    always_accept = ("OTHER",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def _grammar() -> Lark:
    source = resources.files("bot.rules").joinpath("grammar.lark").read_text(encoding="utf-8")
    # The basic lexer makes every slip a token with a place; the contextual one would stop at some without a token.
    return Lark(source, parser="lalr", lexer="basic", maybe_placeholders=False, postlex=_KeepOther())


class _Builder(Transformer_NonRecursive[Token, Expr]):
    """Tokens -> nodes in normal form. Wrong literals become faults and stand in as NaN, so that the rest is still checked."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []

    def transform_tokens(self, text: str) -> Any:
        return self.transform(_grammar().parse(text))

    def start(self, items: list[Expr]) -> Expr:
        return items[0]

    def disjunction(self, items: list[Expr]) -> Expr:
        flat = tuple(part for item in items for part in (item.items if isinstance(item, Or) else (item,)))
        return Or(flat, _over(items))

    def conjunction(self, items: list[Expr]) -> Expr:
        flat = tuple(part for item in items for part in (item.items if isinstance(item, And) else (item,)))
        return And(flat, _over(items))

    def inversion(self, items: list[Any]) -> Expr:
        token, item = items
        return Not(item, Span(token.start_pos, item.span.end))

    def comparison(self, items: list[Any]) -> Expr:
        left, op, right = items
        return Compare(cast("CompareOp", str(op)), left, right, _over([left, right]))

    def binary(self, items: list[Any]) -> Expr:
        left, op, right = items
        return BinaryOp(cast("ArithmeticOp", str(op)), left, right, _over([left, right]))

    def minus(self, items: list[Any]) -> Expr:
        token, operand = items
        span = Span(token.start_pos, operand.span.end)
        if isinstance(operand, Number):
            return Number(0.0 - operand.value, operand.unit, span)
        return Neg(operand, span)

    def literal(self, items: list[Token]) -> Expr:
        token = items[0]
        span = _of(token)
        number = parse_number(str(token), span)
        if number is None:
            self.faults.append(_literal_fault(str(token), span))
            return Number(nan, "", span)
        return number

    def series(self, items: list[Token]) -> Expr:
        return Series(str(items[0]), _of(items[0]))

    def call(self, items: list[Any]) -> Expr:
        name, *args, closing = items
        return Call(str(name), tuple(args), Span(name.start_pos, closing.end_pos))

    def group(self, items: list[Any]) -> Expr:
        return cast("Expr", items[0])


def _of(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def _over(items: list[Expr]) -> Span:
    return Span(items[0].span.start, items[-1].span.end)


def _literal_fault(word: str, span: Span) -> Fault:
    shown = word if len(word) <= 20 else f"{word[:20]}…"
    number = word.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_%")
    suffix = word[len(number) :]
    short = {"sec": "s", "secs": "s", "min": "m", "mins": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h"}
    short |= {"day": "d", "days": "d", "H": "h", "D": "d", "S": "s", "mio": "M", "mln": "M", "b": "B", "bn": "B"}
    hint = f"write {number}{short[suffix]}" if suffix in short and len(word) <= 20 else ""
    if not suffix:
        return Fault(
            span.start, "E202", len(word), f'the number "{shown}" is too large, too small or badly written', hint
        )
    message = f'"{shown}" is not a number; write one such as 5%, 15m, 2.5k or 20_000_000'
    return Fault(span.start, "E202", len(word), message, hint)


_OPERAND: Final = frozenset({"LITERAL", "NAME"})
_WORDS: Final = (
    ("RPAR", '")"'),
    ("_COMMA", '","'),
    ("_AND", '"and"'),
    ("_OR", '"or"'),
    ("COMPARE", "a comparison (> < >= <=)"),
)
_SLIPS: Final = (
    ("=>", 'write ">=" instead of "=>"'),
    ("=<", 'write "<=" instead of "=<"'),
    ("<>", 'write "!=" instead of "<>"'),
    ("≥", 'write ">="'),
    ("≤", 'write "<="'),
    ("≠", 'write "!="'),
    ("−", 'write "-"'),
    ("–", 'write "-"'),
    ("×", 'write "*"'),
    ("&", 'write "and"'),
    ("|", 'write "or"'),
    ("!", 'write "not"'),
    ("=", 'write "==", or ">=" or "<="'),
    ("[", 'write "("'),
    ("{", 'write "("'),
    ("%", "write the number and % without a space, such as 5%"),
    ("+", "leave the plus sign out"),
    ('"', "names are written without quotes"),
    ("'", "names are written without quotes"),
)
_UNIT_WORDS: Final = {"s": "s", "sec": "s", "m": "m", "min": "m", "minutes": "m", "h": "h", "hours": "h", "d": "d"}


def _syntax_fault(text: str, unexpected: UnexpectedToken) -> Fault:
    token = unexpected.token
    accepts: set[str] = set(unexpected.accepts or ())
    if accepts & _OPERAND:
        expected = "a number, a series or a function"
    else:
        known = [word for name, word in _WORDS if name in accepts]
        expected = " or ".join(known) if known else "the end"
    if token.type == "$END":
        place = len(text.rstrip())
        what = "the expression is empty" if not text.strip() else "the expression ends too early"
        return Fault(place, "E201", 1, f"{what}; expected {expected}")
    place = token.start_pos or 0
    word = str(token)
    shown = word if len(word) <= 20 else f"{word[:20]}…"
    return Fault(place, "E201", len(word), f'unexpected "{shown}"; expected {expected}', _slip(text, place, token))


def _slip(text: str, place: int, token: Token) -> str:
    """What was probably meant, for the usual slips."""
    word = str(token)
    if word == "%" and text[place - 1 : place].strip():
        return ""
    for slip, hint in _SLIPS:
        if text.startswith(slip, place):
            return hint
        # "<>" is read as "<" and then an unexpected ">".
        if len(slip) == 2 and place and text.startswith(slip, place - 1) and word == slip[1]:
            return hint
    if word.lower() in {"and", "or", "not"} and word != word.lower():
        return f'write "{word.lower()}"'
    if token.type == "NAME" and word.lower() in _UNIT_WORDS and text[:place].rstrip()[-1:].isdigit():
        return f"write the number and its unit together, such as 15{_UNIT_WORDS[word.lower()]}"
    if token.type == "RPAR" and text.count("(") < text.count(")"):
        return 'there is one ")" too many'
    if token.type == "COMPARE":
        return 'compare two sides at a time and join with "and": 1% < x and x < 5%'
    return ""
