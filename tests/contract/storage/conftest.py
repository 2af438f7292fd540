"""The ports under test, once in memory and once in SQLite, and makers of small values."""

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest

from bot.model.alert import AlertRecord, State, TellKind, Transition, alert_key, short_id
from bot.model.chat_alert import ChatAlert, alert_id
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView, HeldBack, Member, Move
from bot.storage.access import SqliteAuditLog, SqliteGroupStore, SqliteStrangerStore
from bot.storage.alerts import SqliteAlertStore
from bot.storage.buttons import SqliteButtonStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.chat_rules import SqliteChatRuleStore
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.members import SqliteMemberStore
from bot.storage.memory import (
    MemoryAlertStore,
    MemoryButtonStore,
    MemoryChatAlertStore,
    MemoryChatMoves,
    MemoryChatRuleStore,
    MemoryKeyValues,
    MemoryMemberStore,
    MemoryOutbox,
    MemorySilenceStore,
)
from bot.storage.memory_access import MemoryAuditLog, MemoryGroupStore, MemoryPersonalData, MemoryStrangerStore
from bot.storage.memory_risk import MemoryRiskStore
from bot.storage.memory_scores import MemoryScoreStore
from bot.storage.memory_subscriptions import MemorySubscriptionStore
from bot.storage.memory_told import MemoryFiringStore
from bot.storage.memory_watchlists import MemoryWatchlistStore
from bot.storage.outbox import SqliteOutbox
from bot.storage.outbox_care import SqliteOutboxCare
from bot.storage.personal import SqlitePersonalData
from bot.storage.risk import SqliteRiskStore
from bot.storage.scores import SqliteScoreStore
from bot.storage.silences import SqliteSilenceStore
from bot.storage.subscriptions import SqliteSubscriptionStore
from bot.storage.told import SqliteFiringStore
from bot.storage.watchlists import SqliteWatchlistStore


@dataclass
class Ports:
    alerts: Any
    outbox: Any
    values: Any
    chat_alerts: Any
    care: Any
    silences: Any
    risk: Any
    members: Any
    buttons: Any
    moves: Any
    chat_rules: Any
    subscriptions: Any
    watchlists: Any
    strangers: Any
    groups: Any
    audit: Any
    personal: Any
    firings: Any
    scores: Any


@pytest.fixture(params=["memory", "sqlite"])
async def ports(request, tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "memory":
            outbox = MemoryOutbox()
            subscriptions = MemorySubscriptionStore()
            alerts = MemoryAlertStore(outbox)
            chat_alerts, silences, buttons = (
                MemoryChatAlertStore(alerts),
                MemorySilenceStore(alerts),
                MemoryButtonStore(),
            )
            risk, watchlists = MemoryRiskStore(alerts), MemoryWatchlistStore()
            chat_rules = MemoryChatRuleStore()
            members, strangers, groups = MemoryMemberStore(), MemoryStrangerStore(), MemoryGroupStore()
            audit, scores = MemoryAuditLog(), MemoryScoreStore(outbox)
            yield Ports(
                alerts,
                outbox,
                MemoryKeyValues(),
                chat_alerts,
                outbox,
                silences,
                risk,
                members,
                buttons,
                MemoryChatMoves(
                    chat_alerts,
                    buttons,
                    outbox,
                    silences,
                    lambda *chats: [s.chat_moved(*chats) for s in (risk, subscriptions)],
                    chat_rules.chat_moved,
                    watchlists.chat_moved,
                    groups.moved,
                    renames=scores.renamed,
                ),
                chat_rules,
                subscriptions,
                watchlists,
                strangers,
                groups,
                audit,
                MemoryPersonalData(members, strangers, groups, audit),
                MemoryFiringStore(alerts, outbox),
                scores,
            )
        else:
            opened = await open_database(tmp_path / "oibot.db", now_ms=1)
            assert opened.damage is None
            stack.push_async_callback(opened.database.close)
            db = opened.database
            yield Ports(
                SqliteAlertStore(db),
                SqliteOutbox(db),
                SqliteKeyValues(db),
                SqliteChatAlertStore(db),
                SqliteOutboxCare(db),
                SqliteSilenceStore(db),
                SqliteRiskStore(db),
                SqliteMemberStore(db),
                SqliteButtonStore(db),
                SqliteChatMoves(db),
                SqliteChatRuleStore(db),
                SqliteSubscriptionStore(db),
                SqliteWatchlistStore(db),
                SqliteStrangerStore(db),
                SqliteGroupStore(db),
                SqliteAuditLog(db),
                SqlitePersonalData(db),
                SqliteFiringStore(db),
                SqliteScoreStore(db),
            )


class Make:
    """Small values with defaults."""

    @staticmethod
    def view(**changes) -> AlertView:
        values = {
            "rule_id": "oi_surge",
            "title": "OI surge",
            "symbol": "币安人生USDT",
            "venue": "binance",
            "base": "币安人生",
            "severity": "warning",
            "short_id": "7q4mk2px",
            "kind": "fire",
            "at_ms": 1000,
            "fired_ms": 1000,
            "condition": "pct(oi, 15m) >= 5%",
            "value_text": "pct(oi, 15m)",
            "value": 0.06,
            "value_is_ratio": True,
            "oi": Move(900_000, 0.06, 1.0, 1.06),
            "members": (Member("BTCUSDT", 0.1, 0.1, None),),
            "message": "{{ value }}",
            "tags": ("breadth",),
            "silent": True,
            "held_back": (HeldBack("Funding", 3, ("币安人生", "BTC"), 2),),
        }
        return AlertView(**(values | changes))

    @classmethod
    def row(cls, fired_ms=1000, kind="fire", n=0, destination="main", severity="warning", created_ms=1000):
        key = alert_key("oi_surge", "binance:BTCUSDT", fired_ms)
        return OutboxRow(
            id=row_id(key, TellKind(kind), n, destination),
            key=key,
            kind=TellKind(kind),
            destination=destination,
            severity=severity,
            created_ms=created_ms,
            view=cls.view(kind=kind, short_id=short_id(key), fired_ms=fired_ms),
        )

    @staticmethod
    def record(**changes) -> AlertRecord:
        values = {"rule_id": "oi_surge", "instrument": "binance:BTCUSDT", "condition": "c1", "state": State.FIRING}
        return AlertRecord(**(values | changes))

    @staticmethod
    def transition(**changes) -> Transition:
        values = {
            "rule_id": "oi_surge",
            "venue": "binance",
            "symbol": "BTCUSDT",
            "state": State.FIRING,
            "at_ms": 1000,
            "value": 0.06,
            "key": "k",
        }
        return Transition(**(values | changes))

    @staticmethod
    def chat_alert(n=0, **changes) -> ChatAlert:
        values = {
            "chat": "telegram:-1001",
            "user": "telegram:7",
            "instrument": "binance:币安人生USDT",
            "measure": "pct(oi, 15m)",
            "op": ">",
            "level": 0.05,
            "is_ratio": True,
            "created_ms": 1000 + n,
        }
        values |= changes
        return ChatAlert(id=alert_id(values["chat"], values["measure"], values["created_ms"]), **values)

    @staticmethod
    def commit(records=(), transitions=(), rows=()) -> Commit:
        return Commit(records=tuple(records), transitions=tuple(transitions), rows=tuple(rows))


@pytest.fixture
def make():
    return Make


@pytest.fixture
def settle(ports):
    """Bring one row to its end."""
    from bot.model.outbox import Delivered, Message

    async def act(row, *, outcome=None, now_ms=0, message_id=None):
        message = Message(id=message_id or f"m-{row.id}", destination=row.destination, row_ids=(row.id,), attempts=0)
        await ports.outbox.begin(message)
        await ports.outbox.settle(message, outcome or Delivered("77"), now_ms=now_ms)
        return message

    return act
