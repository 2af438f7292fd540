"""No text reaches people past `bot.texts`, where no catalogue has it.

Walks the rooms that speak to people for literals of two words or more that no call of `say` or `mark` takes. What may stand is
listed with its reason.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tests import texts

ROOMS = ("alerts", "chat", "delivery")
ELSEWHERE = ("from bot.delivery.notices import", "from bot.texts import")
"""Modules of other rooms that have one of these tell news of the bot, or explain: they are walked as well."""
WORDS = re.compile(r"[A-Za-z][a-z']+[,:;.]? [A-Za-z]*[a-z']+")
TYPED = re.compile(r"/[a-z]|oibot [a-z]|<[a-z]")
"""Commands, and markup."""

CALLS = {
    "note": "the audit keeps English",
    "_note": "the audit keeps English",
    "noted": "the audit keeps English",
    "for_all": "the audit keeps English",
    "Change": "the audit keeps English",
    "create_task": "a name for the log",
    "in_background": "a name for the log",
    "get": "the name of a log, or a key",
    "startswith": "compared with what a server says",
    "_log_failure": "goes to the log",
    "Failure": "what Telegram answered, for the log",
    "Mute": "a key of words that are said later",
    "Hush": "a key of words that are said later",
    "raise": "an error of the program or of settings",
}
KEYWORDS = {"did": "the audit keeps English"}
REASONS = frozenset({"NoPicture", "Rejected", "RetryLater", "TargetGone", "Unlayable"})
"""Why a destination did not take a message, or no chart was drawn. Those that hold a value, such as a status, stay English."""
MODULES = {
    "bot/chat/local.py": "answers the operator's own commands, in English",
    "bot/chat/local_asking.py": "as that",
    "bot/chat/telegram_failure.py": "compared with what Telegram says",
    "bot/delivery/template.py": "errors of rules",
    "bot/delivery/template_values.py": "words for errors of rules and for the guide",
}
NAMES = {
    ("bot/app/storage_watch.py", "HUNG"): "a key, like the reasons that the database gives",
    ("bot/app/storage_watch.py", "DAMAGED"): "a key, like the reasons that the database gives",
    ("bot/app/storage_watch.py", "_WORDS"): "keys are what the database says",
    ("bot/app/feed_news.py", "MAIN"): "the name of a feed, said later",
    ("bot/app/feed_news.py", "SPARSE_GRACE_MS"): "names of feeds",
    ("bot/chat/why_text.py", "_HUSHES"): "a key",
    ("bot/delivery/telegram_errors.py", "_UNCHANGED"): "compared with what Telegram says",
    ("bot/delivery/telegram_errors.py", "_TARGET_GONE"): "compared with what Telegram says",
    ("bot/delivery/telegram_errors.py", "_CHAT_GONE"): "compared with what Telegram says",
    ("bot/delivery/telegram_errors.py", "_NO_PICTURES"): "compared with what Telegram says",
    ("bot/delivery/telegram_errors.py", "_TOPIC_GONE"): "compared with what Telegram says",
    ("bot/delivery/console.py", "_STYLES"): "styles",
}
TEXTS = {
    "storage watch": "the name of a component",
    "feed news": "the name of a component",
    "While muted": "the title of a summary for machines; people read another",
    "held back": "a kind",
    "second copy": "a topic",
    "enabled: false": "as files of rules say it",
    "Telegram refused the token": "goes to the log",
    "internal error (": "holds a value",
    "it did not start (": "holds a value",
    "the process ended (": "holds a value",
    "its process ended (": "holds a value",
    "it took longer than ": "holds a value",
    " s; ask for fewer days or name contracts": "holds a value",
    "Discord answers ": "holds a value",
    "the webhook answers ": "holds a value",
    "the connection to Discord broke (": "holds a value",
    "the connection to the webhook broke (": "holds a value",
}


@dataclass(frozen=True)
class Found:
    """A literal and what stands around it: calls, keywords, and the name that it is given."""

    path: str
    line: int
    text: str
    calls: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    name: str = ""
    is_part: bool = False


class Walk(ast.NodeVisitor):
    def __init__(self, path):
        self.path, self.found, self.used = path, [], set()
        self.calls, self.keywords, self.name, self.parts = [], [], "", 0

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Call(self, node):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if owner == "_log":
            return
        values = node.args[texts.SAYING.get(function, 0) :]
        self.visit(node.func)
        self.calls.append(function)
        for value in values:
            self.visit(value)
        for keyword in node.keywords:
            self.keywords.append(keyword.arg)
            self.visit(keyword.value)
            self.keywords.pop()
        self.calls.pop()

    def visit_Raise(self, node):
        self.calls.append("raise")
        self.generic_visit(node)
        self.calls.pop()

    def visit_JoinedStr(self, node):
        self.parts += 1
        self.generic_visit(node)
        self.parts -= 1

    def visit_AnnAssign(self, node):
        self._named(node.target, node.value)

    def visit_Assign(self, node):
        self._named(node.targets[0], node.value)

    def _named(self, target, value):
        before, self.name = self.name, self.name or getattr(target, "id", "")
        if value is not None:
            self.visit(value)
        self.name = before

    def visit_arg(self, node):
        """Annotations are no texts."""

    def visit_FunctionDef(self, node):
        node.returns = None
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Constant(self, node):
        if isinstance(node.value, str) and WORDS.search(node.value) and not TYPED.match(node.value):
            around = (tuple(self.calls), tuple(self.keywords), self.name, self.parts > 0)
            self.found.append(Found(self.path, node.lineno, node.value, *around))


def why_allowed(found, used):
    """Empty for what is to be said; `used` gets the keys of what allowed it."""
    reasons = [(("call", call), CALLS[call]) for call in found.calls if call in CALLS]
    reasons += [(("keyword", word), KEYWORDS[word]) for word in found.keywords if word in KEYWORDS]
    reasons += [(("module", found.path), MODULES[found.path])] if found.path in MODULES else []
    named = (found.path, found.name)
    reasons += [(("name", named), NAMES[named])] if named in NAMES else []
    reasons += [(("text", found.text), TEXTS[found.text])] if found.text in TEXTS else []
    if found.is_part and REASONS & set(found.calls):
        reasons.append((("reason", ""), "holds a value"))
    used |= {key for key, _ in reasons}
    return "; ".join(reason for _, reason in reasons)


def walked():
    for path in sorted((texts.ROOT / "bot").rglob("*.py")):
        content = path.read_text(encoding="utf-8")
        name = path.relative_to(texts.ROOT).as_posix()
        if name.split("/")[1] in ROOMS or any(one in content for one in ELSEWHERE):
            walk = Walk(name)
            walk.visit(ast.parse(content))
            yield from walk.found


def test_no_text_reaches_people_unsaid():
    """Wrap it with `say` or `mark` and run `make texts`, or list it here with its reason."""
    used = set()
    unsaid = [f"{one.path}:{one.line}: {one.text!r}" for one in walked() if not why_allowed(one, used)]
    assert unsaid == []
    listed = {("module", path) for path in MODULES} | {("name", key) for key in NAMES} | {("text", t) for t in TEXTS}
    assert listed - used == set(), "listed, but not there any more"


def test_the_walk_finds_what_is_unsaid():
    walk = Walk("x.py")
    walk.visit(
        ast.parse(
            '"""Two words of a docstring."""\n'
            "def page(n: 'some text') -> 'other text':\n"
            '    _log.info("not this one")\n'
            '    why = "but this one"\n'
            '    return line(bold("and this one"), say("not {this} one", this=f"{n} more rules"), Button("Try it", "/oi BTC"))\n'
        )
    )
    assert [one.text for one in walk.found] == ["but this one", "and this one", " more rules", "Try it"]


def test_the_rooms_are_there():
    assert all((Path(texts.ROOT) / "bot" / room).is_dir() for room in ROOMS)
