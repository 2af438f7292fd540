"""`oibot explain E204`: what a code of the linter means, with an example and how to mend it.
`oibot explain RULE SYMBOL`: why a rule fires for a contract, or why not, asked of the running bot or of a journal.

Exit code 0, or 1 where there is no answer.
"""

import asyncio
import re
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bot.chat.local_asking import Request
from bot.cli.asking import ask_bot
from bot.cli.explanation import show
from bot.cli.past import explain_past
from bot.cli.times import parse_time
from bot.errors import ConfigError
from bot.rules.explain import explanations, find, nearest, render

EXIT_UNKNOWN = 1
_CODE = re.compile(r"[A-Za-z]?\d+")
"""What is meant as a code; no rule of one contract can be asked about without naming it."""


def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="CODE|RULE", help="A code of `oibot lint`, such as E204; or a rule, such as oi_surge."),
    ],
    symbol: Annotated[
        str | None, typer.Argument(metavar="[SYMBOL]", help="A contract; a rule about the whole market needs none.")
    ] = None,
    journal: Annotated[
        list[Path] | None, typer.Option("--journal", help="Ask a recording; several files of one run in order.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="With --journal: a UTC time such as 2026-02-03T14:31:00, or epoch ms.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the explanation as JSON.")] = False,
) -> None:
    """Say what a code of the linter means; or why a rule fires for a contract, or why not."""
    if _CODE.fullmatch(what) and symbol is None and not journal:
        explain_code(what)
        return
    if journal:
        answer = asyncio.run(
            explain_past(journal, what, symbol or "", at_ms=None if at is None else parse_time(at, "--at"))
        )
    elif at is not None:
        raise ConfigError("explain: --at needs --journal FILE: the running bot knows the present alone")
    else:
        hint = ", or ask a recording with --journal FILE"
        answer = ask_bot(Request("explain", what, symbol or ""), command="explain", hint=hint)
    if answer.explanation is None:
        near = f"; did you mean {' or '.join(answer.near)}?" if answer.near else ""
        print(f"oibot: {answer.error}{near}", file=sys.stderr)
        raise typer.Exit(EXIT_UNKNOWN)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(answer.explanation), indent=2).decode())
        return
    show(answer.explanation, Console(highlight=False, soft_wrap=True))


def explain_code(code: str) -> None:
    found = find(code)
    if found is None:
        meant = nearest(code)
        hint = f"did you mean {meant}?" if meant else f"codes go from {min(explanations())} to {max(explanations())}"
        print(f"oibot: there is no code {code[:20]!r}; {hint}", file=sys.stderr)
        raise typer.Exit(EXIT_UNKNOWN)
    print(render(found, colour=sys.stdout.isatty()))
