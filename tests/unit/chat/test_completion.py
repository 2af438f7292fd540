import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.commands import COMMANDS
from bot.chat.completion import MAX_OFFERED, complete
from bot.chat.wire import Words

WORDS = Words(
    ("BTCUSDT", "BTCUSDC", "ETHUSDT", "币安人生USDT"), ("oi_surge", "oi_flush", "breadth"), ("a-7q4m2kpx", "a-9zzz9zzz")
)


@pytest.mark.parametrize(
    ("before", "offered"),
    [
        ("/pri", ("/price",)),
        ("pri", ("price",)),
        ("/PRI", ("/price",)),
        ("/oi b", ("BTCUSDC", "BTCUSDT")),
        ("oi ETH", ("ETHUSDT",)),
        ("/o btcusdt", ("BTCUSDT",)),
        ("/oi BTC,et", ("ETHUSDT",)),
        ("/oi 币", ("币安人生USDT",)),
        ("/why BTCUSDT oi_", ("oi_flush", "oi_surge")),
        ("/silence brea", ("breadth",)),
        ("/delete a-", ("a-7q4m2kpx", "a-9zzz9zzz")),
        ("/del a-7", ("a-7q4m2kpx",)),
        ("/help sta", ("start", "status")),
        ("/status B", ()),
        ("/status d", ("details",)),
        ("/rules of", ("off",)),
        ("/rules off oi_s", ("oi_surge",)),
        ("/undo a-7", ("a-7q4m2kpx",)),
        ("/nonsense B", ()),
        ("/oi xyz", ()),
    ],
)
def test_the_word_at_the_cursor_is_completed(before, offered):
    assert complete(before, WORDS) == offered


def test_an_empty_line_offers_all_commands():
    assert set(complete("", WORDS)) == {spec.name for spec in COMMANDS}
    assert set(complete("/", WORDS)) == {f"/{spec.name}" for spec in COMMANDS}


def test_what_is_offered_is_bounded():
    many = Words(tuple(f"C{n}USDT" for n in range(2_000)))
    assert len(complete("/oi C", many)) == MAX_OFFERED


@given(st.text(max_size=60))
def test_what_is_offered_begins_with_what_was_typed(before):
    for one in complete(before, WORDS):
        assert one.casefold().startswith(
            before.replace(",", " ").split(" ")[-1].split("\t")[-1].split("\n")[-1].casefold()
        )
