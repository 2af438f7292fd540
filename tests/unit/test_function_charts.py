"""docs/functions.md shows every function of the language, and its pictures are there."""

import re

from bot.rules.language import FUNCTIONS
from tests import function_charts

PAGE = function_charts.FOLDER.parent / "functions.md"


def test_every_function_stands_on_a_chart():
    assert function_charts.functions() == set(FUNCTIONS)


def test_every_function_stands_in_a_heading_of_the_page():
    headings = "\n".join(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("## "))
    assert set(re.findall(r"`(\w+)`", headings)) == set(FUNCTIONS)


def test_every_picture_is_shown_and_there():
    shown = set(re.findall(r"\]\(functions/(\w+)\.png\)", PAGE.read_text(encoding="utf-8")))
    assert shown == {sheet.name for sheet in function_charts.SHEETS}
    assert shown == {path.stem for path in function_charts.FOLDER.glob("*.png")}


def test_every_condition_is_true_somewhere_and_false_somewhere():
    market = function_charts.Market.made()
    for sheet in function_charts.SHEETS[:1]:
        for (condition, _), seen in function_charts.run(market, sheet).items():
            assert {"true", "false"} <= set(seen.verdict), condition
