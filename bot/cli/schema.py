"""`oibot schema`: the JSON schemas of rule files and destinations, for editors. Prints and changes nothing."""

import json
from typing import Annotated, Literal

import typer

from bot.rules.destination_schema import destination_file_schema
from bot.rules.json_schema import rule_file_schema

What = Literal["rules", "destinations"]


def schema(what: Annotated[What, typer.Argument(help="Of which files.")] = "rules") -> None:
    """Print the JSON schema of rule files, or of destinations."""
    print(schema_text(what), end="")


def schema_text(what: What = "rules") -> str:
    """As it is checked in: indented JSON with a newline at the end."""
    made = rule_file_schema() if what == "rules" else destination_file_schema()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
