"""A reply as coloured text for a terminal. Nothing from outside is read as markup or as a terminal's control code."""

from rich.text import Text

from bot.chat.commands import clean
from bot.chat.reply import Line, Reply, Style, Table, table_lines
from bot.chat.text_chart import rows

_STYLES = {Style.PLAIN: "", Style.BOLD: "bold", Style.CODE: "cyan"}
TERMINAL_COLUMNS = 60
MAX_COMMANDS = 9
"""A page of a list has twenty buttons; who types knows them after the first."""


def _kept(text: str) -> str:
    return clean(f"|{text}|")[1:-1]


def _table(table: Table) -> Text:
    header, *rows = table_lines(table, width=TERMINAL_COLUMNS)
    text = Text(_kept(header), style="dim")
    for row in rows:
        painted = Text(_kept(row))
        painted.highlight_regex(r"\+[\d.,]+%", "green")
        painted.highlight_regex(r"−[\d.,]+%", "red")
        text = Text.assemble(text, "\n", painted)
    return text


def _line(line: Line) -> Text:
    return Text.assemble(*((_kept(span.text), _STYLES[span.style]) for span in line.spans))


def to_text(reply: Reply) -> Text:
    """Blocks, then the commands that the buttons stand for, and where others lead."""
    blocks = [_table(block) if isinstance(block, Table) else _line(block) for block in reply.blocks]
    if reply.chart is not None:
        blocks.append(Text("\n".join(rows(reply.chart))))
    commands = dict.fromkeys(_kept(button.command) for row in reply.buttons for button in row if not button.url)
    if commands:
        more = " …" if len(commands) > MAX_COMMANDS else ""
        blocks.append(Text("→ " + " · ".join(list(commands)[:MAX_COMMANDS]) + more, style="dim"))
    blocks += [Text(f"↗ {_kept(button.url)}", style="dim") for row in reply.buttons for button in row if button.url]
    return Text("\n").join(blocks)
