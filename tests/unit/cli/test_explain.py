"""`oibot explain` and `oibot schema` print what the rule room knows."""

import json

import pytest
import typer
from typer.testing import CliRunner

from bot.cli.explain import explain
from bot.cli.schema import schema
from bot.rules.destination_schema import destination_file_schema
from bot.rules.json_schema import rule_file_schema


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(explain)
    app.command()(schema)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("typed", ["E204", "e204"])
def test_a_code_is_explained_with_an_example(run, typed):
    told = run("explain", typed)
    assert told.exit_code == 0
    assert told.output.startswith("E204: There is no series of this name.")
    assert "did you mean" in told.output


def test_an_unknown_code_ends_with_one_and_says_which_was_meant(run):
    told = run("explain", "W204")
    assert told.exit_code == 1
    assert told.output == "oibot: there is no code 'W204'; did you mean E204?\n"
    assert "codes go from E101 to W501" in run("explain", "W99999").output


def test_the_schema_is_printed_as_json(run):
    assert json.loads(run("schema").output) == rule_file_schema()
    assert json.loads(run("schema", "destinations").output) == destination_file_schema()
