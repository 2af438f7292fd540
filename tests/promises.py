"""`python -m tests.promises`: the README's table of promises, from the marks of the tests and `docs/promises.yaml`.

A test names what it proves by `@pytest.mark.promise("P1")`; the file says each promise and its proof in words. Who adds a
mark or a sentence runs this once and the README follows; `--check` only says whether it does. A promise without a proof in
the file is named as not proven yet; one with a proof needs a test.
"""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SENTENCES = ROOT / "docs" / "promises.yaml"
README = ROOT / "README.md"
BEGIN = "<!-- promises: written by `make promises` from docs/promises.yaml and the marks of the tests -->"
END = "<!-- end of promises -->"
KINDS = ("acceptance", "integration", "properties", "contract", "unit")
"""Folders of tests, the nearest to what people run first."""


@dataclass(frozen=True)
class Promise:
    """One promise in words; `proof` is None while nothing proves it."""

    id: str
    says: str
    proof: str | None


@dataclass(frozen=True)
class Promises:
    """The whole file."""

    rows: tuple[Promise, ...]
    not_promised: tuple[str, ...]


def read(path: Path = SENTENCES) -> Promises:
    content = YAML(typ="safe").load(path)
    rows = tuple(
        Promise(name, " ".join(row["promise"].split()), " ".join(row["proof"].split()) if "proof" in row else None)
        for name, row in content["promises"].items()
    )
    return Promises(rows, tuple(content["not promised"]))


def marked(source: str) -> set[str]:
    """Names of promises that the tests of a module are marked with."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "promise"
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr == "mark"
        and isinstance(node.args[0], ast.Constant)
    }


def proofs(folder: Path = ROOT / "tests") -> dict[str, list[str]]:
    """Promise -> files of tests, as paths below the project, by kind."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        for path in sorted((folder / kind).rglob("test_*.py")):
            for name in marked(path.read_text(encoding="utf-8")):
                found.setdefault(name, []).append(path.relative_to(folder.parent).as_posix())
    return found


def problems(promises: Promises, tests: dict[str, list[str]]) -> list[str]:
    """What keeps the table from being true."""
    known = {row.id: row for row in promises.rows}
    found = [f"{files[0]}: marked with {name}, which docs/promises.yaml does not know"
             for name, files in tests.items() if name not in known]  # fmt: skip
    found += [
        f"docs/promises.yaml: {row.id} has a proof, and no test is marked with it"
        for row in promises.rows
        if row.proof is not None and not tests.get(row.id)
    ]
    return found


def table(promises: Promises, tests: dict[str, list[str]]) -> str:
    """The section, without its markers."""
    lines = ["| | promise | how it is proven | tests |", "|---|---|---|---|"]
    for row in promises.rows:
        if row.proof is not None:
            links = ", ".join(f"[{_short(path)}]({path})" for path in _nearest(tests[row.id]))
            lines.append(f"| {row.id} | {row.says} | {row.proof} | {links} |")
    open_ones = [f"{row.id}, {row.says.replace('**', '').rstrip('.')}" for row in promises.rows if row.proof is None]
    if open_ones:
        lines += ["", f"Meant, and not proven yet: {'; '.join(open_ones)}."]
    lines += ["", "Not promised:", ""]
    lines += [f"- {text}" for text in promises.not_promised]
    return "\n".join(lines)


def _nearest(files: list[str]) -> list[str]:
    """Unit tests only where nothing nearer to the real process proves it."""
    return [f for f in files if not f.startswith("tests/unit/")] or files


def _short(path: str) -> str:
    """`kill` for the real process, `delivery/lanes` for a part of it."""
    *folders, name = path.removeprefix("tests/").split("/")
    plain = name.removeprefix("test_").removesuffix(".py").replace("_", " ")
    return plain if folders == ["acceptance"] else f"{folders[-1]}/{plain}"


def put_in(readme: str, section: str) -> str:
    """The README with that section between its markers."""
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md: expected the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def main() -> int:
    promises, tests = read(), proofs()
    wrong = problems(promises, tests)
    for text in wrong:
        print(text)
    if wrong:
        return 1
    now = README.read_text(encoding="utf-8")
    new = put_in(now, table(promises, tests))
    if "--check" in sys.argv[1:]:
        print("README.md is up to date" if new == now else "README.md differs; run `make promises`")
        return int(new != now)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
