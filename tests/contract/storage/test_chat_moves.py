"""What every `ChatMoves` promises: nothing that names a chat or a destination stays behind."""

from bot.model.buttons import Keyboard
from bot.model.chat_rule import ChatRule
from bot.model.outbox import Delivered, Kept, Message
from bot.model.outbox_ports import Commit
from bot.model.silence import Ack, QuietHours, Silence
from bot.model.stop_watch import StopWatch
from bot.model.subscriptions import Look, Subscription, TopicRoute
from bot.model.watchlists import SymbolList

OLD, NEW = "telegram:-5", "telegram:-1005"


def silence(id_, destination):
    return Silence(id_, 1, 9, "telegram:7", 1, destination=destination)


async def test_what_belongs_to_a_chat_moves_with_it(ports, make):
    mine, other = make.chat_alert(1, chat=OLD), make.chat_alert(2)
    await ports.chat_alerts.add(mine)
    await ports.chat_alerts.add(other)
    await ports.buttons.put(Keyboard("a", OLD, "", "", ("/oi",), 1))
    await ports.buttons.put(Keyboard("b", "telegram:-6", "", OLD, ("/oi",), 1))
    stop = StopWatch("w-1", OLD, "telegram:7", "binance:BTCUSDT", "long", 1.0, 0.9, 0.9, 0.1, 1.0, 0.1, 0, 1)
    assert await ports.risk.add(stop)
    rule = ChatRule("c_7q4mk2px", OLD, "telegram:7", ("BTCUSDT",), None, "price > 1", 1)
    assert await ports.chat_rules.add(rule)
    await ports.subscriptions.put(Subscription(OLD, "oi_surge", is_on=False, since_ms=1))
    await ports.subscriptions.put(Subscription(OLD, "oi_flush", is_on=False, since_ms=2))
    await ports.subscriptions.put(Subscription(NEW, "oi_flush", is_on=True, since_ms=3))
    await ports.subscriptions.put_look(OLD, Look("Asia/Tokyo"))
    await ports.subscriptions.put_topic(TopicRoute(OLD, 7, "all", 1))
    for _ in range(2):
        await ports.moves.move(OLD, NEW)
    assert [r.chat for r in await ports.chat_rules.all()] == [NEW]
    assert await ports.subscriptions.all() == [
        Subscription(NEW, "oi_flush", is_on=True, since_ms=3),
        Subscription(NEW, "oi_surge", is_on=False, since_ms=1),
    ]
    assert await ports.subscriptions.looks() == {NEW: Look("Asia/Tokyo")}
    assert await ports.subscriptions.topics() == [TopicRoute(NEW, 7, "all", 1)]
    assert [w.chat for w in await ports.risk.watches()] == [NEW]
    assert await ports.chat_alerts.of_chat(OLD, limit=9) == []
    assert [a.id for a in await ports.chat_alerts.of_chat(NEW, limit=9)] == [mine.id]
    assert await ports.chat_alerts.of_chat(other.chat, limit=9) == [other]
    assert (await ports.buttons.get("a")).chat == NEW
    assert (await ports.buttons.get("b")).chat == "telegram:-6"


async def test_lists_move_and_of_those_that_both_have_the_new_ones_stay(ports):
    lists = [
        SymbolList(OLD, "pins", "", ("x:A",), 1),
        SymbolList(OLD, "named", "majors", ("x:A",), 1),
        SymbolList(NEW, "named", "majors", ("x:B",), 2),
        SymbolList("telegram:9", "pins", "", ("x:C",), 3),
    ]
    for one in lists:
        await ports.watchlists.put(one)
    for _ in range(2):
        await ports.moves.move(OLD, NEW)
    assert await ports.watchlists.all() == [lists[2], SymbolList(NEW, "pins", "", ("x:A",), 1), lists[3]]


async def test_what_belongs_to_a_destination_takes_its_new_name(ports, make):
    told, waits, kept = make.row(1, destination=OLD), make.row(2, destination=OLD), make.row(3, destination=OLD)
    await ports.alerts.commit(Commit((), (), (told, waits, make.row(1)), kept=(Kept(kept, "silence s-1", 9),)))
    await ports.outbox.settle(Message("m", OLD, (told.id,), 0), Delivered("77"), now_ms=1)
    await ports.silences.add(silence("s-1", OLD))
    await ports.silences.add(silence("s-2", ""))
    for ack in (Ack("k", OLD, "Ann", 1), Ack("k", NEW, "Bob", 2), Ack("l", OLD, "Ann", 3)):
        await ports.silences.acknowledge(ack)
    await ports.silences.put_quiet(QuietHours(OLD, 1, 2, "UTC"))
    await ports.buttons.put(Keyboard("a", NEW, "", OLD, ("/oi",), 1))
    for _ in range(2):
        await ports.moves.rename(OLD, NEW)
    assert await ports.outbox.waiting(OLD, now_ms=9, limit=9) == []
    assert [row.id for row in await ports.outbox.waiting(NEW, now_ms=9, limit=9)] == [waits.id]
    assert (await ports.outbox.message_of(told.key, "fire", NEW)).provider_id == "77"
    assert [k.row.destination async for batch in ports.outbox.kept() for k in batch] == [NEW]
    assert [s.destination for s in await ports.silences.all()] == [NEW, ""]
    assert await ports.silences.acks() == [Ack("k", NEW, "Bob", 2), Ack("l", NEW, "Ann", 3)], "what it has stays"
    assert await ports.silences.quiet_hours() == [QuietHours(NEW, 1, 2, "UTC")]
    assert (await ports.buttons.get("a")).place == NEW
    assert (await ports.outbox.waiting("main", now_ms=9, limit=9))[0].destination == "main"
