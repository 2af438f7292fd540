"""Alerts as they were stored: each waits until its instrument is listed, and is closed where its rule or instrument is
gone.
"""

from collections.abc import Iterable, Mapping

from bot.alerts.book import Change, RuleBook
from bot.model.alert import AlertRecord, State, TellKind
from bot.model.instrument import MARKET, Instrument
from bot.model.updates import InstrumentList


class Restoring:
    """Stored records that have no place yet."""

    def __init__(self, records: Iterable[AlertRecord], books: Mapping[str, RuleBook]) -> None:
        self._waiting: dict[tuple[str, str], AlertRecord] = {}
        """For their instrument to be listed."""
        self.orphans: list[AlertRecord] = []
        """Of rules that are gone, disabled or changed."""
        for record in records:
            book = books.get(record.rule_id)
            if book is None or not _belongs(record, book):
                self.orphans.append(record)
            elif book.per_market:
                book.restore(0, record)
            else:
                self._waiting[record.rule_id, record.instrument] = record

    @property
    def waiting(self) -> Iterable[AlertRecord]:
        return self._waiting.values()

    def record(self, rule_id: str, instrument: str) -> AlertRecord | None:
        return self._waiting.get((rule_id, instrument))

    def place(self, row: int, instrument: Instrument, books: Iterable[RuleBook]) -> None:
        """Its instrument is listed now."""
        for book in books:
            record = self._waiting.pop((book.rule_id, instrument.key), None)
            if record is not None and not book.per_market:
                book.restore(row, record)

    def gone(self, update: InstrumentList, gone_statuses: frozenset[str]) -> list[AlertRecord]:
        """Take out those whose instrument the venue no longer lists. One that is listed but halted has not left."""
        listed = {i.key for i in update.instruments if i.status not in gone_statuses}
        keys = [k for k in self._waiting if k[1].startswith(f"{update.venue}:") and k[1] not in listed]
        return [self._waiting.pop(k) for k in keys]

    def drop_rules(self, kept: Mapping[str, RuleBook]) -> None:
        """The rule set has changed: records of rules that are gone or changed become orphans."""
        for key, record in list(self._waiting.items()):
            book = kept.get(record.rule_id)
            if book is None or not _belongs(record, book):
                self.orphans.append(self._waiting.pop(key))


def _belongs(record: AlertRecord, book: RuleBook) -> bool:
    """Whether a stored alert is one of the rule as it is now."""
    return book.condition == record.condition and book.per_market == (record.instrument == MARKET)


def closing(record: AlertRecord, reason: str, at_ms: int) -> Change:
    """The end of a stored alert whose rule or instrument is gone."""
    return Change(
        t=0,
        rule_id=record.rule_id,
        row=-1,
        instrument=record.instrument,
        at_ms=at_ms,
        state=State.CLOSED,
        tell=TellKind.CLOSE,
        key=record.key,
        value=record.value,
        peak=record.peak,
        fired_ms=record.fired_ms,
        reason=reason,
    )


def idle(record: AlertRecord) -> AlertRecord:
    """Nothing is under way any more; the cooldown is forgotten too."""
    return AlertRecord(record.rule_id, record.instrument, record.condition, State.INACTIVE)
