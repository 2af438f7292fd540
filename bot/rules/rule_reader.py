"""One mapping of a rule file -> one rule. Keys that are wrong keep their default, so that the rest is still checked."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, cast

from bot.model.instrument import Kind
from bot.rules.ast import DAY_MS, MINUTE_MS, Expr, Number
from bot.rules.language import did_you_mean
from bot.rules.nodes import Node, Scalar, Sequence
from bot.rules.readers import MAX_WORDS, Reader
from bot.rules.schema import (
    DEFAULT_COOLDOWN_MS,
    DEFAULT_NOTIFY,
    KINDS,
    MAX_DESTINATIONS,
    MAX_INHIBITED,
    MAX_NAME_LENGTH,
    MAX_TAGS,
    SEVERITIES,
    TAG_FORM,
    VENUES,
    Per,
    Rule,
    Scope,
    Severity,
    TopBy,
)

DEFAULT_KEYS: Final = ("for", "cooldown", "repeat", "severity", "notify", "tags", "silent", "ttl", "chart")
RULE_KEYS: Final = (
    "id", "name", "enabled", "scope", "per", "when", "clear", "for", "cooldown", "repeat", "escalate", "value", "once",
    "severity", "notify", "tags", "silent", "ttl", "chart", "message", "inhibits",
)  # fmt: skip
CHAT_KEYS: Final = (*RULE_KEYS, "base")
"""Of a rule that comes from chat."""
SCOPE_KEYS: Final = (
    "symbols", "exclude", "venues", "types", "quotes", "top", "by", "min_oi_usd", "min_volume_24h",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for the keys that a rule leaves out."""

    for_ms: int = 0
    cooldown_ms: int = DEFAULT_COOLDOWN_MS
    repeat_ms: int | None = None
    severity: Severity = "warning"
    notify: tuple[str, ...] = DEFAULT_NOTIFY
    tags: tuple[str, ...] = ()
    silent: bool = False
    ttl_ms: int | None = None
    chart: bool = True


def read_defaults(reader: Reader, node: Node, destinations: Collection[str] | None) -> Defaults:
    entries = reader.entries(node, DEFAULT_KEYS, what='"defaults"')
    if entries is None:
        return Defaults()
    nodes = {name: value for name, (_, value) in entries.items()}
    return RuleReader(reader, nodes, Defaults(), destinations).defaults()


def parts(node: Node) -> list[Node]:
    """The items of a list; one word alone counts as a list of one."""
    return node.items if isinstance(node, Sequence) else [node]


class RuleReader:
    """Reads the keys of one rule. Keys that are wrong keep their default, so that the rest is still checked."""

    def __init__(
        self, reader: Reader, nodes: dict[str, Node], defaults: Defaults, destinations: Collection[str] | None
    ) -> None:
        self._reader = reader
        self._nodes = nodes
        self._defaults = defaults
        self._destinations = destinations

    def read(self, rule_id: str | None) -> Rule | None:
        """The rule, or None without an id or a sound `when`; every problem is told either way."""
        reader, nodes = self._reader, self._nodes
        per: Per = "symbol"
        if "per" in nodes:
            per = cast("Per", reader.choice(nodes["per"], "per", ("symbol", "market")) or "symbol")
        when = self._expression("when", per)
        clear = self._expression("clear", per)
        value = self._expression("value", per, wants_condition=False)
        common = self.defaults()
        name = self._name() or rule_id or ""
        scope = self._scope()
        escalate = self._escalate()
        enabled, once = self._boolean("enabled", default=True), self._boolean("once", default=False)
        message, inhibits = self._message(), self._words("inhibits", most=MAX_INHIBITED)
        if rule_id is None or when is None:
            return None
        return Rule(
            id=rule_id, when=when, name=name, enabled=enabled, scope=scope, per=per, clear=clear, for_ms=common.for_ms,
            cooldown_ms=common.cooldown_ms, repeat_ms=common.repeat_ms, escalate=escalate.value if escalate else None,
            value=value, once=once, severity=common.severity, notify=common.notify, tags=common.tags,
            silent=common.silent, ttl_ms=common.ttl_ms, chart=common.chart, message=message, inhibits=inhibits,
            base=self._word("base") or "",
        )  # fmt: skip

    def defaults(self) -> Defaults:
        """The keys that a `defaults` block may hold too."""
        nodes, common = self._nodes, self._defaults
        severity: Severity = common.severity
        if "severity" in nodes:
            chosen = self._reader.choice(nodes["severity"], "severity", SEVERITIES)
            severity = cast("Severity", chosen) if chosen else severity
        return Defaults(
            for_ms=self._duration("for", common.for_ms, 0, DAY_MS),
            cooldown_ms=self._duration("cooldown", common.cooldown_ms, 0, 30 * DAY_MS),
            repeat_ms=self._repeat(),
            severity=severity,
            notify=self._notify(),
            tags=self._tags(),
            silent=self._boolean("silent", default=common.silent),
            ttl_ms=self._ttl(),
            chart=self._boolean("chart", default=common.chart),
        )

    def _name(self) -> str | None:
        name = self._word("name")
        if name is not None and len(name) > MAX_NAME_LENGTH:
            self._reader.tell(self._nodes["name"], "E114", f"a name has at most {MAX_NAME_LENGTH} characters")
        return name

    def _expression(self, key: str, per: Per, *, wants_condition: bool = True) -> Expr | None:
        if key not in self._nodes:
            return None
        return self._reader.expression(self._nodes[key], key, per=per, wants_condition=wants_condition)

    def _word(self, key: str) -> str | None:
        return self._reader.word(self._nodes[key], key) if key in self._nodes else None

    def _words(self, key: str, *, most: int = MAX_WORDS) -> tuple[str, ...]:
        return (self._reader.words(self._nodes[key], key, most=most) or ()) if key in self._nodes else ()

    def _boolean(self, key: str, *, default: bool) -> bool:
        found = self._reader.boolean(self._nodes[key], key) if key in self._nodes else None
        return default if found is None else found

    def _duration(self, key: str, default: int, least_ms: int, most_ms: int) -> int:
        if key not in self._nodes:
            return default
        found = self._reader.duration_ms(self._nodes[key], key, least_ms=least_ms, most_ms=most_ms)
        return default if found is None else found

    def _is_off(self, key: str) -> bool:
        node = self._nodes.get(key)
        return isinstance(node, Scalar) and node.text == "off"

    def _repeat(self) -> int | None:
        if "repeat" not in self._nodes:
            return self._defaults.repeat_ms
        if self._is_off("repeat"):
            return None
        return self._reader.duration_ms(self._nodes["repeat"], "repeat", least_ms=MINUTE_MS, most_ms=30 * DAY_MS)

    def _ttl(self) -> int | None:
        found = self._defaults.ttl_ms
        if "ttl" in self._nodes:
            found = self._reader.duration_ms(self._nodes["ttl"], "ttl", least_ms=MINUTE_MS, most_ms=DAY_MS)
        return found

    def _escalate(self) -> Number | None:
        if "escalate" not in self._nodes or self._is_off("escalate"):
            return None
        node = self._nodes["escalate"]
        found = self._reader.number(node, "escalate", least=0, most=1e15, example="3%")
        if found is not None and found.value == 0:
            self._reader.tell(node, "E114", '"escalate" is more than zero', "write off to switch it off")
        return found

    def _notify(self) -> tuple[str, ...]:
        if "notify" not in self._nodes:
            return self._defaults.notify
        node = self._nodes["notify"]
        if self._destinations is None:
            return self._reader.words(node, "notify", most=MAX_DESTINATIONS) or ()
        names = self._reader.words(node, "notify", most=MAX_DESTINATIONS) or ()
        for name, item in zip(names, parts(node), strict=False):
            if name not in self._destinations:
                known = ", ".join(sorted(self._destinations)) or "none"
                meant = did_you_mean(name, frozenset(self._destinations))
                message = f'no destination is called "{name[:40]}"; there are: {known}'
                self._reader.tell(item, "E112", message, f'did you mean "{meant}"?' if meant else "")
        return names

    def _tags(self) -> tuple[str, ...]:
        if "tags" not in self._nodes:
            return self._defaults.tags
        node = self._nodes["tags"]
        words = self._reader.words(node, "tags", most=MAX_TAGS)
        if words is None:
            return ()
        for word, item in zip(words, parts(node), strict=False):
            if not TAG_FORM.fullmatch(word):
                message = "a tag is made of letters, digits, _ and -, and is at most 40 characters long"
                self._reader.tell(item, "E111", message)
        return words

    def _message(self) -> str | None:
        return self._reader.template(self._nodes["message"], "message") if "message" in self._nodes else None

    def _patterns(self, key: str) -> tuple[str, ...]:
        return (self._reader.patterns(self._nodes[key], key) or ()) if key in self._nodes else ()

    def _scope(self) -> Scope:
        if "scope" not in self._nodes:
            return Scope()
        reader = self._reader
        entries = reader.entries(self._nodes["scope"], SCOPE_KEYS, what='"scope"')
        nodes = {name: value for name, (_, value) in (entries or {}).items()}
        within = RuleReader(reader, nodes, self._defaults, self._destinations)
        types, quotes = Scope().types, Scope().quotes
        by: TopBy = "oi_usd"
        if "types" in nodes:
            types = cast("tuple[Kind, ...]", reader.choices(nodes["types"], "type", KINDS) or types)
        if "quotes" in nodes:
            quotes = within._words("quotes") or quotes
        if "by" in nodes:
            by = cast("TopBy", reader.choice(nodes["by"], "by", ("oi_usd", "volume_24h")) or by)
        return Scope(
            symbols=within._patterns("symbols"),
            exclude=within._patterns("exclude"),
            venues=(reader.choices(nodes["venues"], "venue", VENUES) or ()) if "venues" in nodes else (),
            types=types,
            quotes=quotes,
            top=reader.whole(nodes["top"], "top", least=1, most=10_000) if "top" in nodes else None,
            by=by,
            min_oi_usd=reader.amount(nodes["min_oi_usd"], "min_oi_usd") if "min_oi_usd" in nodes else None,
            min_volume_24h=reader.amount(nodes["min_volume_24h"], "min_volume_24h")
            if "min_volume_24h" in nodes
            else None,
        )
