"""`oibot schema`: the JSON schemas of rule files, destinations and rule tests, for editors. Prints and changes nothing."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal

import typer

from bot.rules.destination_schema import destination_file_schema
from bot.rules.json_schema import rule_file_schema
from bot.rules.rule_test_schema import rule_test_schema

What = Literal["rules", "destinations", "tests"]
_SCHEMAS: Final[Mapping[What, Callable[[], dict[str, object]]]] = {
    "rules": rule_file_schema,
    "destinations": destination_file_schema,
    "tests": rule_test_schema,
}


def schema(what: Annotated[What, typer.Argument(help="Of which files.")] = "rules") -> None:
    """Print the JSON schema of rule files, of destinations or of rule tests."""
    print(schema_text(what), end="")


def schema_text(what: What = "rules") -> str:
    """As it is checked in: indented JSON with a newline at the end."""
    return json.dumps(_SCHEMAS[what](), indent=2, ensure_ascii=False) + "\n"
