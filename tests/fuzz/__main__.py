"""Fuzzes rule files, expressions and templates until it is stopped or finds something.

    make fuzz                            in the foreground, until Ctrl-C
    make fuzz ARGS="-max_total_time=600" for ten minutes; other options are those of libFuzzer

What is found is written to a file `crash-…` in the current folder; give its name as an argument to see it again. The
first byte of an input says what the rest is.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bot", "ruamel", "lark", "jinja2"]):
    from tests.fuzz.checks import check_expression, check_file, check_template

RULES = Path(__file__).parents[2] / "rules" / "default.yaml"
SEEDS = [
    b"e" + b"pct(oi, 15m) - median(pct(oi, 15m)) > 4% and crosses(price, 50_000)",
    b"e" + b"count(zscore(pct(oi, 5m), 7d) > 3) >= 20% or not stale(oi)",
    b"t" + b"{% if value > 0.05 %}{{ symbol | upper }}{% elif not oi %}{{ 'a' if value else 'b' }}{% endif %}",
]


def one_input(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind == b"e":
        check_expression(rest.decode("utf-8", "surrogateescape"))
    elif kind == b"t":
        check_template(rest.decode("utf-8", "surrogateescape"))
    else:
        check_file(rest)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate([*SEEDS, b"f" + RULES.read_bytes()]):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
