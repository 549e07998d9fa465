#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints docs/conformance.md: what the runtime specification has, what thole does with it, and the tests that show it.

    conformance.py >conformance.md      or `make conformance`

Joined are the specification's schema and texts (tests/data/runtime-spec), thole's own tables (src/cgroup/resources.c,
the plans that test_plan.c compares) and docs/conformance.rows, which names the tests.  docs/check-conformance complains
of what is missing.
"""
import ast
import functools
import os
import re
import sys

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(TOP, "tests"))
from harness.schema import linux_properties, type_of  # noqa: E402: found only now

TEXTS = ["config.md", "config-linux.md", "runtime.md", "runtime-linux.md", "bundle.md", "features.md",
         "features-linux.md"]
DEMAND = re.compile(r"\b(MUST|SHALL|SHOULD|REQUIRED)\b")
WHERE = {"": "here", "stand-in": "stand-in", "vm": "unit test; virtual machine"}
TEST_FOLDERS = ["unit", "integration", "attack", "fault"]


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


# ---- the specification ----


def plain(text):
    """TEXT without the marks of Markdown, on one line."""
    text = re.sub(r"\[((?:\[\]|[^\[\]])*)\](\([^)]*\)|\[[^\]]*\])", r"\1", text)
    return " ".join(re.sub(r"\[\^\d\]:?|[*`]", "", text).replace("|", " ").split())


def sentences_of(paragraph):
    # A row of a table is one.
    if " | " in paragraph or "\t" in paragraph:
        return [plain(paragraph)]
    return [plain(sentence) for sentence in re.split(r"(?<=[.:])\s+(?=[A-Z`*\[(])", paragraph)]


def paragraphs(text):
    """Yields (section, paragraph) of a text in Markdown: of running text, of a list's item, of a table's row."""
    section, lines, quoted = "", [], False
    for line in [*text.splitlines(), ""]:
        heading = re.match(r"#+ (.*)", line)
        fence = line.strip().startswith("```")
        begins = re.match(r"\s*([*+-]|\d+\.) ", line) or " | " in line
        if heading or fence or begins or not line.strip():
            if lines:
                yield section, " ".join(lines)
            lines = []
        quoted ^= fence
        if heading:
            anchor = re.search(r'name="([^"]+)"', heading[1])
            section = anchor[1] if anchor else heading[1]
        elif not quoted and not fence and line.strip():
            lines.append(re.sub(r"^\s*([*+-]|\d+\.) +", "", line).strip())


@functools.cache
def demands():
    """(FILE#SECTION, sentence) of each sentence that says MUST or the like; none twice."""
    found = []
    for name in TEXTS:
        for section, paragraph in paragraphs(read(f"tests/data/runtime-spec/{name}")):
            found += [(f"{name}#{section}", each) for each in sentences_of(paragraph) if DEMAND.search(each)]
    return list(dict.fromkeys(found))


@functools.cache
def named_properties():
    """{path: type} of the config's properties; items of lists and members of maps belong to theirs."""
    return {path: type_of(value) for path, value in linux_properties().items() if not path.endswith(("[]", ".*"))}


# ---- the rows ----


class Rows:
    """docs/conformance.rows: a list of tuples for each of its parts."""

    COLUMNS = {"steps": 2, "properties": 5, "demands": 4}

    def __init__(self, text):
        self.parts = {part: [] for part in self.COLUMNS}
        self.complaints = []
        part = None
        for number, line in enumerate(text.splitlines(), 1):
            if line.startswith("[") and line.strip("[]") in self.COLUMNS:
                part = line.strip("[]")
            elif line.strip() and not line.startswith("#"):
                row = tuple(cell.strip() for cell in line.split("|"))
                if part is None or len(row) != self.COLUMNS[part]:
                    self.complaints.append(f"conformance.rows:{number}: {self.COLUMNS.get(part, 0)} columns expected")
                else:
                    self.parts[part].append(row)

    def of(self, part):
        return self.parts[part]


# ---- the tests ----


def python_tests(text):
    return {node.name for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def c_tests(text):
    """What stands in a table of struct CMUnitTest and is a function."""
    tables = re.findall(r"struct CMUnitTest \w+\[\]\s*=\s*{(.*?)\n\s*};", text, re.DOTALL)
    functions = re.findall(r"^(\w+) \(void \*\*state\)", text, re.MULTILINE)
    return set(functions) & set(re.findall(r"\w+", " ".join(tables)))


def all_tests():
    """{"test_x.py::test_y": "integration/test_x.py::test_y"}"""
    found = {}
    for folder in TEST_FOLDERS:
        for name in sorted(os.listdir(os.path.join(TOP, "tests", folder))):
            if re.fullmatch(r"test_\w+\.(py|c)", name):
                text = read(f"tests/{folder}/{name}")
                names = python_tests(text) if name.endswith(".py") else c_tests(text)
                found |= {f"{name}::{test}": f"{folder}/{name}::{test}" for test in names}
    return found


# ---- what thole does, from its tables ----


@functools.cache
def cgroup_files():
    """{path: words} from the table of src/cgroup/resources.c."""
    source = read("src/cgroup/resources.c")
    table = re.search(r"static const struct resource_row rows\[\] = {\n(.*?)\n};", source, re.DOTALL)[1]
    for name, value in re.findall(r'^#define (\w+) (".*")$', source, re.MULTILINE):
        table = table.replace(name, value)
    found = {}
    for name, body in re.findall(r'^  { "([\w.]+)", CGROUP_\w+(.*?)(?=^  { "|\Z)', table, re.DOTALL | re.MULTILINE):
        sides = []
        for version, emit, side in re.findall(r"\.(v[12]) = { (refuse\w*|)(.*?) }", body, re.DOTALL):
            files = re.findall(r'\.(?:file|extra) = "([^"]+)"', side)
            note = re.search(r'\.note = "([^"]+)"', side)
            does = "refused" if emit else ", ".join(f"`{file}`" if "." in file else file for file in files) or note[1]
            sides.append(f"{version}: {does}")
        found[f"linux.resources.{name}"] = "; ".join(sides)
    return found


@functools.cache
def plan_operations():
    """{path: operations}: which have this property for their origin in the plans that test_plan.c compares."""
    found = {}
    for name in sorted(os.listdir(os.path.join(TOP, "tests/data/plans"))):
        plan = read(f"tests/data/plans/{name}") if name.endswith(".plan") else ""
        for operation, origin in re.findall(r"^(\S+).*    # (\S+)$", plan, re.MULTILINE):
            path = re.sub(r'\[".*?"\]', ".*", re.sub(r"\[\d+\]", "[]", origin))
            found.setdefault(path, {})[operation] = True
    return {path: ", ".join(f"`{operation}`" for operation in operations) for path, operations in found.items()}


def above(path):
    """PATH and what it is a part of, the nearest first; an item stands for its list."""
    while path:
        yield path
        path = re.sub(r"(\[\]|\.\*|(^|\.)\w+)$", "", path)


class Doings:
    """What thole does with a property: an entry of a table for it, or for what it is a part of, or for its items."""

    def __init__(self, rows):
        self.said = plan_operations() | cgroup_files() | dict(rows.of("steps"))

    def of(self, path):
        for near in (f"{path}[]", f"{path}.*", *above(path)):
            if near in self.said:
                return self.said[near]
        return ""


# ---- the page ----

HEAD = """\
<!-- Made by docs/conformance.py from docs/conformance.rows: `make conformance`.  Do not edit. -->
# Conformance

What version 1.3.0 of the runtime specification has for Linux, what thole does with it, and the tests that show it.
`docs/check-conformance`, a part of `make check`, fails if a property of the schema or a demand of the texts has no row
here, or if a row names a test that does not exist.

* **does**: the operations of the plan (see [architecture.md](architecture.md#the-plan)), the files of the cgroup by
  version, or the place in the source where it is done.
* **shown by**: the test that sees the effect, from inside the container where there is an inside.
* **refused by**: the test that sees the message about a bad value.
* **where**: "here" is the machine that the tests run on; a stand-in is a program or a tree of files in the place of
  what the kernel lacks; the virtual machine has what neither can show.
"""


def tests_cell(names, known, reason):
    return f"— {reason}" if names == "-" else "<br>".join(f"`{known.get(name, name)}`" for name in names.split())


def where_cell(tests, where, remark=""):
    if tests in ("", "-"):
        return tests.replace("-", "—")
    return WHERE.get(where, where) + (f"; {remark}" if remark else "")


def properties_table(rows, known):
    doings = Doings(rows)
    lines = ["| property | type | does | shown by | refused by | where |", "|---|---|---|---|---|---|"]
    by_path = {row[0]: row for row in rows.of("properties")}
    for path, kind in named_properties().items():
        _, effect, bad, where, remark = by_path.get(path, (path, "", "", "", ""))
        lines.append(f"| `{path}` | {kind} | {doings.of(path)} | {tests_cell(effect, known, remark)} | "
                     f"{tests_cell(bad, known, remark)} | {where_cell(effect, where, remark)} |")
    return lines


def row_of(demand, rows):
    """The row for DEMAND: of its section, with a beginning of it."""
    section, sentence = demand
    found = [row for row in rows.of("demands") if row[0] == section and sentence.startswith(row[1])]
    return max(found, key=lambda row: len(row[1]), default=None)


def demands_tables(rows, known):
    lines, file = [], None
    for demand in demands():
        name, section = demand[0].split("#", 1)
        if name != file:
            lines += ["", f"### {name}", "", "| section | demand | shown by | where |", "|---|---|---|---|"]
            file = name
        _, _, tests, where = row_of(demand, rows) or ("", "", "", "")
        lines.append(f"| {section} | {demand[1]} | {tests_cell(tests, known, where)} | {where_cell(tests, where)} |")
    return lines


def tests_cells(rows):
    """(the row's name, tests, the reason if there are none) of each cell for tests."""
    for path, effect, bad, _, remark in rows.of("properties"):
        yield path, effect, remark
        yield path, bad, remark
    for section, start, tests, where in rows.of("demands"):
        yield f"{section}: {start}", tests, where


def page(rows, known):
    empty = sum(not tests for _, tests, _ in tests_cells(rows))
    lines = [HEAD, f"{len(named_properties())} properties, {len(demands())} demands; tests are yet missing in {empty} cells.", "",
             "## The properties of config.json", "", *properties_table(rows, known), "", "## The demands of the texts",
             *demands_tables(rows, known)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(Rows(read("docs/conformance.rows")), all_tests()))
