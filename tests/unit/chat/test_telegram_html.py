from bot.chat.reply import Button, Reply, Table, bold, code, line, table_lines
from bot.chat.telegram_html import keyboard, to_html, to_plain, utf16_units
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
