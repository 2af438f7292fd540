"""Rules that come from chat beside those of the files: one set for the engine, whatever they come from.

Each source puts its own rules, or says how they follow from those of the files; then they are made anew at each reload.
A change goes to the engine as a reload does, between two ticks. A recording gets a file for each rule from chat, so that a
replay has them; what is not read back from that file as the same rule is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.app.loading import Loaded
from bot.engine.inputs import RulesChanged
from bot.market.market import Market
from bot.rules import plan as compiling
from bot.rules.loader import CHAT_FILES, load_chat_text
from bot.rules.schema import CHAT_PREFIX, ID_FORM, Rule
from bot.rules.writing import rule_text

MAX_EXTRA: Final = 1_000
"""Of all sources together."""

Maker = Callable[[Loaded], Sequence[Rule]]
"""From the files to the rules of one source."""

_log = log.get("rules")


@dataclass(frozen=True, slots=True)
class _Extra:
    """One rule, and the text of the file that stands for it."""

    rule: Rule
    text: str


class ExtraRules:
    """One per bot. Before `connect` a change only counts for what is asked here."""

    def __init__(self, loaded: Loaded) -> None:
        """`loaded`: the files as they are when the bot starts."""
        self._loaded = loaded
        self._sources: dict[str, tuple[_Extra, ...]] = {}
        self._makers: dict[str, Maker] = {}
        self._known: dict[Rule, _Extra] = {}
        self._consume: Callable[[RulesChanged], None] = lambda _: None
        self._on_changed: Callable[[], None] = lambda: None

    def connect(self, consume: Callable[[RulesChanged], None], on_changed: Callable[[], None]) -> None:
        """From now on changes go to the engine by `consume`; after each, `on_changed`."""
        self._consume, self._on_changed = consume, on_changed

    # -- what watches ----------------------------------------------------------------------------------------------

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those of the files in their order, then the others by id."""
        return (*self._loaded.rules.rules, *(extra.rule for extra in self._sorted()))

    @property
    def texts(self) -> dict[str, str]:
        """Name and text of all files, also of those that stand for rules from chat."""
        return {**self._loaded.texts, **{f"{CHAT_FILES}{e.rule.id}.yaml": e.text for e in self._sorted()}}

    @property
    def destinations(self) -> frozenset[str]:
        """Names that rules of files may notify."""
        return self._loaded.plan.names

    def of_files(self) -> tuple[Rule, ...]:
        """Those of the files alone, also those that are switched off."""
        return self._loaded.rules.rules

    def of(self, source: str) -> tuple[Rule, ...]:
        return tuple(extra.rule for extra in self._sources.get(source, ()))

    def sound(self, rule: Rule) -> Rule:
        """The same rule; raises `ValueError` for one that cannot be run."""
        extra = self._extra(rule)
        self._known[extra.rule] = extra
        return rule

    # -- changes ---------------------------------------------------------------------------------------------------

    def put(self, source: str, rules: Sequence[Rule]) -> None:
        """Let these be the rules of a source, instead of those it had.

        Their ids begin with `c_`. Raises `ValueError`, and changes nothing, for a rule that cannot be run, or has an id
        that is taken, and where there are too many.
        """
        extras = tuple(map(self._extra, rules))
        self._require_room(source, extras)
        self._makers.pop(source, None)
        self._change(source, extras)

    def follow(self, source: str, make: Maker, *, leaves_out: bool = False) -> None:
        """Let the rules of a source be what `make` makes of the files, now and after each reload.

        Call it again where `make` would give others. Raises as `put` does; with `leaves_out`, and at a reload, what cannot
        be run is left out instead.
        """
        if leaves_out:
            extras = tuple(self._sound(make, self._others(source)))
        else:
            extras = tuple(map(self._extra, make(self._loaded)))
            self._require_room(source, extras)
        self._makers[source] = make
        self._change(source, extras)

    def _others(self, source: str) -> set[str]:
        """Ids of the rules of other sources."""
        return {extra.rule.id for name, extras in self._sources.items() if name != source for extra in extras}

    def reloaded(self, loaded: Loaded) -> None:
        """Other files count from now on."""
        before = self.rules
        self._loaded = loaded
        for source, make in self._makers.items():
            self._sources[source] = tuple(self._sound(make, self._others(source)))
        if self.rules != before:
            self._hand_over()

    def _change(self, source: str, extras: tuple[_Extra, ...]) -> None:
        before = self.rules
        self._sources[source] = extras
        self._known = {extra.rule: extra for extras in self._sources.values() for extra in extras}
        if self.rules != before:
            self._hand_over()

    def _hand_over(self) -> None:
        self._consume(RulesChanged(self.rules, self.texts, tuple(sorted(self.destinations))))
        self._on_changed()

    def _sound(self, make: Maker, taken: set[str]) -> Iterable[_Extra]:
        for rule in make(self._loaded):
            try:
                extra = self._extra(rule)
            except ValueError as error:
                _log.error("rules.extra_left_out", rule=rule.id, reason=str(error))
                continue
            if rule.id in taken or len(taken) >= MAX_EXTRA:
                _log.error("rules.extra_left_out", rule=rule.id, reason="its id is taken, or there are too many")
                continue
            taken.add(rule.id)
            yield extra

    def _sorted(self) -> list[_Extra]:
        """As their files are read."""
        every = [extra for extras in self._sources.values() for extra in extras]
        return sorted(every, key=lambda extra: f"{extra.rule.id}.yaml")

    def _extra(self, rule: Rule) -> _Extra:
        rule = replace(rule, name=rule.title)
        return self._known.get(rule) or _checked(rule)

    def _require_room(self, source: str, extras: Sequence[_Extra]) -> None:
        others = [e.rule.id for name, found in self._sources.items() if name != source for e in found]
        ids = [*others, *(extra.rule.id for extra in extras)]
        if len(ids) > MAX_EXTRA:
            raise ValueError(f"expected at most {MAX_EXTRA:,} rules from chat, found {len(ids):,}")
        twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []
        if twice:
            raise ValueError(f"expected ids that differ, found {', '.join(twice)} twice")


def _checked(rule: Rule) -> _Extra:
    """Raises `ValueError` for a rule that cannot be run, or that a recording could not give back."""
    if not (rule.id.startswith(CHAT_PREFIX) and ID_FORM.fullmatch(rule.id)):
        raise ValueError(
            f"{rule.id}: expected an id that begins with {CHAT_PREFIX}, of a-z, 0-9 and _, at most 40 long"
        )
    written = rule_text(rule)
    found = load_chat_text(rule.id, written)
    if found.errors:
        raise ValueError(f"{rule.id}: expected a sound rule, found: {found.errors[0].message}")
    if found.rules != (rule,):
        raise ValueError(f"{rule.id}: expected a rule that can be written as a file, found {rule!r}")
    compiling.Plan((rule,), Market())
    return _Extra(rule, written)
