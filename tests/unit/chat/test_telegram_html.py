from hypothesis import given, settings
from hypothesis import strategies as st

from bot.chat.reply import Button, Line, Reply, Span, Style, Table, bold, code, line, table_lines
from bot.chat.telegram_html import MAX_PARTS, MAX_UNITS, keyboard, parts, to_html, to_plain, utf16_units
from bot.sim.chat_html import parse


def test_everything_from_outside_is_escaped_and_undisguised():
    reply = Reply((line(bold("<b>&"), " a\u202eb\x00 ", code('"q"')),))
    assert to_html(reply) == '<b>&lt;b&gt;&amp;</b> ab <code>"q"</code>'
    assert to_plain(reply) == '<b>& ab "q"'


def test_a_long_reply_loses_whole_lines_and_never_half_a_tag():
    reply = Reply(tuple(line(bold("🟠" * 100)) for _ in range(40)))
    text = to_html(reply)
    assert utf16_units(parse(text)) <= 4_096
    assert text.endswith("</b>\n…")
    assert text.count("<b>") == text.count("</b>") == 20


def test_what_escaping_adds_does_not_count():
    """A thousand signs are a thousand signs, though each is sent as five characters."""
    blocks = tuple(line("&" * 1_000) for _ in range(4))
    text = to_html(Reply((*blocks, line("x" * 92))))
    assert utf16_units(parse(text)) == 4_096
    assert utf16_units(text) > 20_000
    assert to_html(Reply((*blocks, line("x" * 93)))).endswith("&amp;\n…")


def test_a_table_that_is_too_long_is_cut_between_its_rows():
    table = Table(("", "OI"), tuple((f"C{n}<&", "+1.00%") for n in range(500)))
    text = to_html(Reply((line("head"), table, line("tail"))))
    assert utf16_units(parse(text)) <= 4_096
    assert text.startswith("head\n<pre>")
    assert text.endswith("%</pre>\n…")
    assert text.count("\n") > 200
    assert to_plain(Reply((line("head"), table))) == parse(to_html(Reply((line("head"), table))))


SPANS = st.builds(
    Span,
    st.one_of(st.text(max_size=30), st.text("ab <&>🟠\u202e", max_size=1_200), st.integers(0, 1_100).map("é".__mul__)),
    st.sampled_from(Style),
)
CELLS = st.text("ab<&🟠 1", max_size=9)
TABLES = st.integers(1, 3).flatmap(
    lambda n: st.builds(
        lambda header, rows: Table(tuple(header), tuple(map(tuple, rows))),
        st.lists(CELLS, min_size=n, max_size=n),
        st.one_of(
            st.lists(st.lists(CELLS, min_size=n, max_size=n), max_size=4),
            st.integers(0, 300).map(lambda k: [[f"r{k}"] * n] * k),
        ),
    )
)
LINES = st.builds(lambda spans: Line(tuple(spans)), st.lists(SPANS, max_size=5))


@given(st.lists(st.one_of(LINES, LINES, TABLES), max_size=12))
@settings(max_examples=200, deadline=None)
def test_the_messages_of_a_long_reply_hold_all_of_it_and_are_valid_each(blocks):
    whole = Reply(tuple(blocks), ((Button("x", "/oi BTC"),),))
    messages = parts(whole)
    assert 1 <= len(messages) <= MAX_PARTS
    assert [bool(one.buttons) for one in messages] == [False] * (len(messages) - 1) + [True]
    for one in messages:
        assert utf16_units(parse(to_html(one))) <= MAX_UNITS
        assert parse(to_html(one)).strip() == to_plain(one).strip()
    if len(messages) == 1:
        assert messages[0] == whole
    if len(messages) < MAX_PARTS:
        assert content(messages) == content([whole]), "nothing was cut"


def content(replies):
    """Spans and rows, in their order; what separates them may change, and tables have headers of their own."""
    found = []
    for block in (block for reply in replies for block in reply.blocks):
        found += block.rows if isinstance(block, Table) else list(block.spans)
    return found


def test_a_long_answer_is_broken_between_lines():
    lines = [line(bold(f"{n}"), " · " + "x" * 90) for n in range(100)]
    first, second, third = parts(Reply(tuple(lines), ((Button("more", "/oi"),),)))
    assert to_plain(first).splitlines()[-1].split(" · ")[0] == "41"
    assert to_plain(second).splitlines()[0].split(" · ")[0] == "42"
    assert to_plain(third).splitlines()[-1].split(" · ")[0] == "99"


def test_a_long_table_has_its_header_in_every_message():
    table = Table(("", "OI"), tuple((f"C{n}", "+1.00%") for n in range(700)))
    found = parts(Reply((line("head"), table, line("tail"))))
    assert len(found) == 3
    assert [sum(isinstance(b, Table) and b.header == ("", "OI") for b in one.blocks) for one in found] == [1, 1, 1]
    assert sum(len(b.rows) for one in found for b in one.blocks if isinstance(b, Table)) == 700


def test_a_caption_is_shorter():
    reply = Reply(tuple(line(bold("x" * 99)) for _ in range(40)))
    assert utf16_units(parse(to_html(reply, limit=1_024))) <= 1_024
    assert to_html(reply, limit=1_024).count("<b>") == 10


def test_tables_beside_each_other_stay_apart():
    table = Table(("", "OI"), (("A", "1"),))
    assert to_html(Reply((table, table))).count("<pre>") == 2


def test_an_empty_reply_still_has_a_visible_character():
    assert to_html(Reply(())) == "…"
    assert to_plain(Reply((line("\u200b"),))) == "…"


def test_buttons_that_telegram_would_refuse_are_left_out():
    reply = Reply(
        (line("x"),),
        ((Button("long", "/" + "牛" * 1_000), Button("fits", "/" + "牛" * 999), Button("\u200b", "/oi a")), ()),
    )
    assert keyboard(reply) == ((Button("fits", "/" + "牛" * 999),),)


def test_tables_fit_thirty_columns_and_cut_their_labels():
    table = Table(
        ("", "OI", "15m", "24h"),
        (("1000000MOGUSDT", "$8.72B", "+6.06%", "+7.93%"), ("我踏马来了币安人生", "–", "–", "–")),
    )
    lines = table_lines(table)
    assert lines == (
        "              OI    15m    24h",
        "1000000M… $8.72B +6.06% +7.93%",
        "我踏马来…      –      –      –",
    )


def test_a_table_whose_figures_alone_are_too_wide_is_cut_at_the_edge():
    table = Table(("", "Price", "24h"), (("BTC", "0.000000012345678901", "+123,456.78%"),))
    assert all(len(text) <= 30 for text in table_lines(table))
