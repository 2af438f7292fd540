"""`oibot schema`: the JSON schema of rule files, for editors. Prints and changes nothing."""

import json

from bot.rules.json_schema import rule_file_schema


def schema() -> None:
    """Print the JSON schema of rule files."""
    print(schema_text(), end="")


def schema_text() -> str:
    """As it is checked in: indented JSON with a newline at the end."""
    return json.dumps(rule_file_schema(), indent=2, ensure_ascii=False) + "\n"
