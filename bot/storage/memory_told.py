"""What fired and who was told, in memory. The same contract as SQLite."""

from collections import Counter
from collections.abc import Sequence

from bot.model.alert import State, TellKind, Transition
from bot.model.dashboard import PRIVATE, Firing
from bot.storage.memory import MemoryAlertStore
from bot.storage.memory_outbox import MemoryOutbox
from bot.storage.outbox import STATES
from bot.storage.told import receipt

_ENDS = {State.RESOLVED, State.CLOSED}
_STATES = (*STATES, "muted", "folded")


class MemoryFiringStore:
    """The `FiringStore` port."""

    def __init__(self, alerts: MemoryAlertStore, outbox: MemoryOutbox) -> None:
        self._alerts = alerts
        self._outbox = outbox

    async def firings(self, *, limit: int, own: Sequence[str], symbol: str = "") -> Sequence[Firing]:
        everything = await self._alerts.transitions(limit=1 << 30)
        ends: dict[tuple[str, str, str], Transition] = {
            (t.rule_id, t.symbol, t.key): t for t in everything if t.state in _ENDS
        }
        found = [
            t
            for t in everything
            if t.state is State.FIRING
            and symbol in {"", t.symbol}
            and (not t.rule_id.startswith(PRIVATE) or t.rule_id in own)
        ]
        return [await self._firing(t, ends.get((t.rule_id, t.symbol, t.key))) for t in found[:limit]]

    async def _firing(self, fired: Transition, ended: Transition | None) -> Firing:
        entries = await self._outbox.entries(_STATES, limit=1 << 30)
        told = [o for o in reversed(entries) if (o.row.key, o.row.kind) == (fired.key, TellKind.FIRE)]
        first = told[0].row if told else None
        return Firing(
            fired=fired,
            ended=ended,
            title=first.view.title if first else "",
            severity=first.severity if first else "",
            value_text=first.view.value_text if first else "",
            is_ratio=first is not None and first.view.value_is_ratio,
            receipts=tuple(receipt(o.row.destination, o.state, o.row.created_ms, o.at_ms) for o in told),
        )

    async def counts(self, *, since_ms: int) -> dict[str, int]:
        everything = await self._alerts.transitions(since_ms=since_ms, limit=1 << 30)
        return dict(Counter(t.rule_id for t in everything if t.state is State.FIRING))
