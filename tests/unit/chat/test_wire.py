import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.reply import Button, Line, Reply, Span, Style, Table
from bot.chat.wire import WireReply, pack, unpack

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LINES = st.builds(Line, st.lists(st.builds(Span, TEXT, st.sampled_from(Style)), max_size=4).map(tuple))
CELLS = st.tuples(TEXT, TEXT)
TABLES = st.builds(Table, CELLS, st.lists(CELLS, max_size=3).map(tuple), st.booleans())
ROWS = st.lists(st.builds(Button, TEXT, TEXT, TEXT), max_size=3).map(tuple)
REPLIES = st.builds(Reply, st.lists(LINES | TABLES, max_size=6).map(tuple), st.lists(ROWS, max_size=2).map(tuple))


@given(REPLIES)
def test_an_answer_arrives_as_it_was_sent(reply):
    assert unpack(msgspec.json.decode(msgspec.json.encode(pack(reply)), type=WireReply)) == reply


def test_scripts_read_what_the_blocks_are():
    reply = Reply((Line((Span("BTCUSDT", Style.BOLD), Span(" up"))), Table(("", "OI"), (("5m", "+1%"),))))
    assert msgspec.to_builtins(pack(reply)) == {
        "blocks": (
            {"kind": "line", "spans": (("BTCUSDT", "bold"), (" up", "plain"))},
            {"kind": "table", "header": ("", "OI"), "rows": (("5m", "+1%"),), "right_label": False},
        ),
        "buttons": (),
    }
