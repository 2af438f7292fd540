"""The `message` of a rule: a small, closed part of Jinja, checked when the rule is loaded and rendered for a view.

What may stand in a template is listed here: texts, the variables below, a few filters, comparisons and `if`. There are
no loops, no assignments, no attributes, no calls and no arithmetic, so the work is bounded by the length of the
template, and a checked template cannot fail. Kinds are checked too: a text is not compared with a number. Only this
module knows Jinja.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from rapidfuzz.distance import OSA

from bot.delivery import template_values as values
from bot.delivery.text import cut
from bot.model import numbers
from bot.model.view import AlertView

MAX_LENGTH: Final = 1_000
MAX_OUTPUT: Final = 1_500
"""UTF-16 units of the rendered text; what is longer is cut."""
MAX_BRACKETS: Final = 10
MAX_IFS: Final = 5
"""Depth of `if` in `if`."""
MAX_DEPTH: Final = 30
"""Depth of one expression; Python compiles no more than 200 nested parentheses."""

Kind = Literal["text", "number", "truth"]


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """One mistake; `start` and `length` count characters of the template."""

    start: int
    code: str
    length: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Filter:
    takes: Kind | None
    """None: any."""
    gives: Kind | None
    """None: what it takes."""
    arguments: tuple[Kind, ...] = ()
    """Kinds of its optional arguments, which are literals."""


VARIABLES: Final[dict[str, Kind]] = {
    name: "number" if figure else "text" for name, (figure, _) in values.DESCRIBED.items()
}
FILTERS: Final[dict[str, _Filter]] = {
    "abs": _Filter("number", "number"),
    "amount": _Filter("number", "text"),
    "usd": _Filter("number", "text"),
    "percent": _Filter("number", "text", ("number",)),
    "round": _Filter("number", "text", ("number",)),
    "price": _Filter("number", "text"),
    "default": _Filter(None, "text", ("text",)),
    "upper": _Filter("text", "text"),
    "lower": _Filter("text", "text"),
}
_COMPARISONS: Final = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<="}


def template_faults(template: str) -> tuple[TemplateFault, ...]:
    """All mistakes of a template, in the order of their places; never raises, bounded by the length."""
    if len(template) > MAX_LENGTH:
        message = f"the template has {len(template):,} characters; at most {MAX_LENGTH:,} are allowed"
        return (TemplateFault(0, "E403", 1, message),)
    if (deep := _too_deep(template)) is not None:
        return (TemplateFault(deep, "E403", 1, f"brackets are nested deeper than {MAX_BRACKETS}"),)
    reader = _Reader(template)
    try:
        tree = reader.parse()
    except TemplateSyntaxError as error:
        return (reader.syntax_fault(error),)
    except RecursionError:
        return (TemplateFault(0, "E403", 1, "the template is nested too deep"),)
    checker = _Checker(reader)
    checker.body(tree.body, n_ifs=0)
    return tuple(sorted(checker.faults, key=lambda fault: (fault.start, fault.code)))


def render_message(template: str, view: AlertView) -> str:
    """The text of a message, at most `MAX_OUTPUT` UTF-16 units; several lines, no control characters.

    Unknown values are shown as a dash, and a comparison with one is false. Raises `ValueError` for a template that
    `template_faults` refuses; no other template fails.
    """
    if found := _compiled_faults(template):
        raise ValueError(f"the template was not checked: {found[0].message}")
    rendered = _compiled(template).render(values.context(view))
    return cut("\n".join(values.one_line(line) for line in rendered.strip().split("\n")), MAX_OUTPUT)


def _finalize(value: object) -> object:
    """What stands between double braces, as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return numbers.amount(value) if type(value) in {int, float} else value  # type: ignore[arg-type]


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False, finalize=_finalize, keep_trailing_newline=True, newline_sequence="\n", cache_size=0
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update(values.FILTERS)
    return environment


_ENVIRONMENT: Final = _environment()


@lru_cache(maxsize=256)
def _compiled_faults(template: str) -> tuple[TemplateFault, ...]:
    return template_faults(template)


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _ENVIRONMENT.from_string(template)


def _too_deep(template: str) -> int | None:
    depth = 0
    for place, char in enumerate(template):
        depth += (char in "([{") - (char in ")]}")
        if depth > MAX_BRACKETS:
            return place
    return None


class _Reader:
    """Template -> Jinja's tree, whose line numbers are places: every token is given its offset as its line."""

    def __init__(self, template: str) -> None:
        self.template = template
        self._reached = 0
        self._ends: dict[int, int] = {}

    def parse(self) -> nodes.Template:
        parser = Parser(_ENVIRONMENT, "")
        wrapped = _ENVIRONMENT.lexer.wrap(self._tokens())
        parser.stream = TokenStream(wrapped, None, None)
        return parser.parse()

    def _tokens(self) -> Iterator[tuple[int, str, str]]:
        for _, token, value in _ENVIRONMENT.lexer.tokeniter(self.template, None):
            start = max(self.template.find(value, self._reached), self._reached)
            self._reached = start + len(value)
            self._ends[start] = self._reached
            yield start, token, value

    def length_at(self, start: int) -> int:
        """Of the word that begins there."""
        return max(1, self._ends.get(start, start + 1) - start)

    def find(self, word: str, start: int) -> int:
        """Where a word stands at or after a place; Jinja's nodes know the place of their first part only."""
        at = start
        while (at := self.template.find(word, at)) >= 0:
            before, after = self.template[at - 1 : at], self.template[at + len(word) : at + len(word) + 1]
            if not (before.isidentifier() or after.isalnum() or after == "_"):
                return at
            at += 1
        return start

    def syntax_fault(self, error: TemplateSyntaxError) -> TemplateFault:
        """Jinja's words where they are of use; its line is our offset, but for what the lexer itself refuses."""
        said = error.message or ""
        is_of_lexer = said.startswith(("unexpected char", "unexpected '", "Missing end of"))
        start = self._reached if is_of_lexer else min(max(error.lineno, 0), len(self.template))
        for word, message, hint in _SYNTAX_WORDS:
            if word in said:
                return TemplateFault(start, "E401", self.length_at(start), message, hint)
        return TemplateFault(start, "E401", self.length_at(start), "the template cannot be read here", values.EXAMPLE)


_SYNTAX_WORDS: Final = (
    ("Unexpected end of template", "the template ends too early", 'close "{% if %}" with "{% endif %}"'),
    ("unexpected end of template", "the template ends too early", 'close "{{" with "}}" and "{%" with "%}"'),
    ("Missing end of comment", "the comment is not closed", 'close "{#" with "#}"'),
    ("unknown tag", "a template has no such tag", "only {% if %}, {% elif %}, {% else %} and {% endif %}"),
    ("expected token 'end of print statement'", "this does not belong between the braces", values.EXAMPLE),
)


class _Checker:
    """One walk over Jinja's tree. Kinds are None for a part that is already told to be wrong."""

    def __init__(self, reader: _Reader) -> None:
        self.faults: list[TemplateFault] = []
        self._reader = reader
        self._depth = 0

    def body(self, parts: list[nodes.Node], *, n_ifs: int) -> None:
        for part in parts:
            match part:
                case nodes.Output():
                    for item in part.nodes:
                        if not isinstance(item, nodes.TemplateData):
                            self.kind(item)
                case nodes.If():
                    self._if(part, n_ifs + 1)
                case _:
                    self._refuse(part)

    def _if(self, part: nodes.If, n_ifs: int) -> None:
        if n_ifs > MAX_IFS:
            self._tell(part.lineno, "E403", f'"if" is nested deeper than {MAX_IFS}')
            return
        self.kind(part.test)
        self.body(part.body, n_ifs=n_ifs)
        for other in part.elif_:
            self._if(other, n_ifs)
        self.body(part.else_, n_ifs=n_ifs)

    def kind(self, part: nodes.Node) -> Kind | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            if not any(fault.message == _TOO_DEEP for fault in self.faults):
                self._tell(part.lineno, "E403", _TOO_DEEP)
            found = None
        else:
            found = self._kind(part)
        self._depth -= 1
        return found

    def _kind(self, part: nodes.Node) -> Kind | None:
        match part:
            case nodes.Const():
                return self._literal(part)
            case nodes.Name():
                return self._variable(part)
            case nodes.Filter():
                return self._filter(part)
            case nodes.Compare():
                return self._compare(part)
            case nodes.And() | nodes.Or():
                self.kind(part.left)
                self.kind(part.right)
                return "truth"
            case nodes.Not():
                self.kind(part.node)
                return "truth"
            case nodes.Neg() if isinstance(part.node, nodes.Const):
                return self.kind(part.node)
            case nodes.CondExpr():
                return self._choice(part)
            case _:
                self._refuse(part)
                return None

    def _literal(self, part: nodes.Const) -> Kind | None:
        if isinstance(part.value, bool):
            return "truth"
        if isinstance(part.value, str):
            return "text"
        if isinstance(part.value, int | float) and abs(part.value) <= values.LARGEST:
            return "number"
        self._tell(part.lineno, "E403", "this is no value for a template")
        return None

    def _variable(self, part: nodes.Name) -> Kind | None:
        found = VARIABLES.get(part.name)
        if found is None:
            at = self._reader.find(part.name, part.lineno)
            meant = _meant(part.name, VARIABLES)
            hint = f'did you mean "{meant}"?' if meant else f"there are: {', '.join(VARIABLES)}"
            self._tell(at, "E402", f'unknown variable "{part.name[:30]}"', hint, len(part.name))
        return found

    def _filter(self, part: nodes.Filter) -> Kind | None:
        taken = self.kind(part.node) if part.node is not None else None
        at = self._reader.find(part.name, part.lineno)
        known = FILTERS.get(part.name)
        if known is None:
            meant = _meant(part.name, FILTERS)
            hint = f'did you mean "{meant}"?' if meant else f"there are: {', '.join(FILTERS)}"
            self._tell(at, "E402", f'unknown filter "{part.name[:30]}"', hint, len(part.name))
            return None
        if part.kwargs or part.dyn_args or part.dyn_kwargs or len(part.args) > len(known.arguments):
            self._tell(at, "E403", f'the filter "{part.name}" does not take these arguments', length=len(part.name))
            return None
        for argument, wanted in zip(part.args, known.arguments, strict=False):
            if not isinstance(argument, nodes.Const) or self._literal(argument) != wanted:
                self._tell(argument.lineno, "E404", f'the filter "{part.name}" takes a literal {wanted} here')
                return None
        if taken is not None and known.takes is not None and taken != known.takes:
            message = f'the filter "{part.name}" takes a {known.takes}, and this is a {taken}'
            self._tell(at, "E404", message, length=len(part.name))
            return None
        return known.gives or taken

    def _compare(self, part: nodes.Compare) -> Kind | None:
        left = self.kind(part.expr)
        for operand in part.ops:
            right = self._members(operand.expr) if operand.op in {"in", "notin"} else self.kind(operand.expr)
            if "truth" in {left, right}:
                self._tell(operand.expr.lineno, "E404", "a condition is not compared; join it with and, or, not")
            elif left is not None and right is not None and left != right:
                self._tell(operand.expr.lineno, "E404", f"a {left} is not compared with a {right}")
            elif operand.op not in {*_COMPARISONS, "in", "notin"}:
                self._refuse(operand)
        return "truth"

    def _members(self, part: nodes.Expr) -> Kind | None:
        """`symbol in ["BTCUSDT", "ETHUSDT"]`, `"BTC" in symbol`."""
        if not isinstance(part, nodes.List | nodes.Tuple):
            found = self.kind(part)
            if found in {"number", "truth"}:
                self._tell(part.lineno, "E404", f'"in" looks into a text or a list, and this is a {found}')
                return None
            return found
        kinds = {self.kind(item) for item in part.items}
        return kinds.pop() if len(kinds) == 1 else None

    def _choice(self, part: nodes.CondExpr) -> Kind | None:
        self.kind(part.test)
        first = self.kind(part.expr1)
        if part.expr2 is None:
            self._tell(part.lineno, "E403", 'an "if" between the braces needs an "else"')
            return None
        second = self.kind(part.expr2)
        if first is not None and second is not None and first != second:
            self._tell(part.expr2.lineno, "E404", f"one side is a {first}, the other a {second}")
            return None
        return first

    def _refuse(self, part: nodes.Node) -> None:
        what = _REFUSED.get(type(part).__name__, "this")
        self._tell(part.lineno, "E403", f"{what} cannot stand in a message template", values.EXAMPLE)

    def _tell(self, start: int, code: str, message: str, hint: str = "", length: int | None = None) -> None:
        size = length if length is not None else self._reader.length_at(start)
        self.faults.append(TemplateFault(start, code, size, message, hint))


_TOO_DEEP: Final = f"an expression is nested deeper than {MAX_DEPTH}"
_REFUSED: Final = {
    "For": "a loop", "Assign": "an assignment", "AssignBlock": "an assignment", "Macro": "a macro", "Call": "a call",
    "Getattr": "an attribute", "Getitem": "an index", "Include": "another file", "Import": "another file",
    "FromImport": "another file", "Extends": "another file", "Test": 'a test with "is"', "Add": "arithmetic",
    "Sub": "arithmetic", "Mul": "arithmetic", "Div": "arithmetic", "FloorDiv": "arithmetic", "Mod": "arithmetic",
    "Pow": "arithmetic", "Neg": "arithmetic", "Pos": "arithmetic", "Concat": '"~"', "FilterBlock": "a filter block",
}  # fmt: skip


def _meant(word: str, known: Collection[str]) -> str | None:
    distance, best = min((OSA.distance(word[:40].lower(), name), name) for name in sorted(known))
    return best if distance <= max(1, len(word) // 3) else None
