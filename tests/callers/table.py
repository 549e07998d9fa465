# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test × runtime: what `make check-callers` prints and docs/callers.md shows.

A row is a test, named by the first line of its docstring; its module's docstring is the heading it stands under."""

import inspect
import itertools
import platform
import re
import subprocess

RUNTIMES = ("thole", "crun", "runc")
ORDER = {"failed": 2, "passed": 1, "skipped": 0}
PACKAGES = ("podman", "buildah", "conmon", "containerd", "docker.io", "crun", "runc")

HEAD = """\
# Callers

Programs that call a runtime, each test with thole and with the two runtimes that Debian has: written by `make
callers-table`, of `tests/callers`. A runtime that passes has a `yes`; why others do not stands beside it, and a dash is
what this machine cannot show with any. On {machine} there were {packages}.
"""


def versions():
    """Debian's, of PACKAGES that are installed."""
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *PACKAGES],
                           capture_output=True, text=True, check=False)
    found = [line.split() for line in asked.stdout.splitlines()]
    return [f"{name} {version}" for status, name, version in found if status == "installed"]


def first_line(text):
    return inspect.cleandoc(text).splitlines()[0].rstrip(".")


def about(item):
    """What the table has to know of a test, to go with its report."""
    title = first_line(item.function.__doc__ or item.function.__name__.removeprefix("test_").replace("_", " "))
    case = item.callspec.id.replace(item.callspec.params["oci"], "", 1).strip("-")
    return {"heading": first_line(item.module.__doc__), "line": item.function.__code__.co_firstlineno,
            "title": f"{title} ({case})" if case else title, "runtime": item.callspec.params["oci"]}


def reason(report):
    """One line on why REPORT's test failed or was skipped."""
    if hasattr(report, "wasxfail"):
        return report.wasxfail
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return failure(crash.message) if crash else ""


def failure(message):
    """The line of a failed assertion on a program that says most: what it wrote to stderr last."""
    found = re.search(r"^(?:AssertionError: )?.*?stderr: (.*?)\n*(?:^assert .*)?\Z", message, re.DOTALL | re.MULTILINE)
    lines = [line.strip() for line in (found[1] if found else message).splitlines() if line.strip()]
    return shorten(lines[-1] if found and lines else lines[0]) if lines else ""


def shorten(text):
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "…", text.removeprefix("AssertionError: "))
    text = re.sub(r'^{"msg":"(.*?)".*', r"\1", text)
    text = re.sub(r'^(Error: )?(time="[^"]*" level=\w+ msg=)?', "", text)
    return text if len(text) <= 160 else text[:157] + "…"


class Table:
    def __init__(self):
        self.cells = {}  # (heading, line, title) -> {runtime: (outcome, reason)}

    def add(self, report):
        known = dict(report.user_properties).get("caller")
        if not known or (report.when != "call" and report.outcome == "passed"):
            return
        outcome = "failed" if hasattr(report, "wasxfail") else report.outcome
        row = self.cells.setdefault((known["heading"], known["line"], known["title"]), {})
        before = row.get(known["runtime"])
        if before is None or ORDER[before[0]] < ORDER[outcome]:
            row[known["runtime"]] = (outcome, reason(report))

    def headings(self):
        rows = sorted(self.cells.items())
        return [(heading, [(key[2], row) for key, row in group])
                for heading, group in itertools.groupby(rows, key=lambda entry: entry[0][0])]

    @staticmethod
    def words(row):
        """A row's cells, and notes on what did not pass."""
        cells, notes = [], []
        for name in RUNTIMES:
            outcome, why = row.get(name, ("", ""))
            cells.append({"passed": "yes", "failed": "no", "skipped": "-", "": ""}[outcome])
            if outcome == "failed" or (outcome == "skipped" and why not in [text for _, text in notes]):
                notes.append((name if outcome == "failed" else "", why))
        return cells, [f"{name}: {why}" if name else why for name, why in notes]

    def counts(self):
        rows = list(self.cells.values())
        passed = [f"{sum(row.get(name, ('',))[0] == 'passed' for row in rows)} with {name}" for name in RUNTIMES]
        return f"{len(rows)} tests: {', '.join(passed)} pass"

    def text(self):
        lines = []
        for heading, rows in self.headings():
            lines += ["", f"{heading:<84} " + " ".join(f"{name:>5}" for name in RUNTIMES)]
            for title, row in rows:
                cells, notes = self.words(row)
                lines.append(f"  {title[:82]:<82} " + " ".join(f"{cell:>5}" for cell in cells))
                lines += [f"      {note}" for note in notes]
        return "\n".join([*lines, "", self.counts()])

    def markdown(self):
        lines = [HEAD.format(machine=f"Linux {platform.release()}", packages=", ".join(versions()))]
        for heading, rows in self.headings():
            lines += [f"## {heading}", "", "| test | " + " | ".join(RUNTIMES) + " | |", "|---|" + ":-:|" * len(RUNTIMES) + "---|"]
            for title, row in rows:
                cells, notes = self.words(row)
                note = "; ".join(notes).replace("|", "\\|").replace("<", "&lt;")
                lines.append("| " + " | ".join([title, *cells, note]) + " |")
            lines.append("")
        return "\n".join([*lines, self.counts() + ".", ""])
