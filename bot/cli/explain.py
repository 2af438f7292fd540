"""`oibot explain E204`: what a code of the linter means, with an example and how to mend it.

Exit code 0, or 1 where there is no such code.
"""

import sys
from typing import Annotated

import typer

from bot.rules.explain import explanations, find, nearest, render

EXIT_UNKNOWN = 1


def explain(
    what: Annotated[str, typer.Argument(metavar="CODE", help="A code of `oibot lint`, such as E204.")],
) -> None:
    """Say what a code of the linter means and how to mend it."""
    explain_code(what)


def explain_code(code: str) -> None:
    found = find(code)
    if found is None:
        meant = nearest(code)
        hint = f"did you mean {meant}?" if meant else f"codes go from {min(explanations())} to {max(explanations())}"
        print(f"oibot: there is no code {code[:20]!r}; {hint}", file=sys.stderr)
        raise typer.Exit(EXIT_UNKNOWN)
    print(render(found, colour=sys.stdout.isatty()))
