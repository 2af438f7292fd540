"""All words of the language."""

from bot.rules.check import Vocabulary
from bot.rules.language import FUNCTIONS, SERIES

EVERYTHING = Vocabulary(frozenset(SERIES), frozenset(FUNCTIONS), frozenset({"zscore", "percentile"}))
