# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of bench.py as a table for a terminal, as Markdown and as a drawing."""
import itertools
import statistics
from dataclasses import dataclass
from html import escape

COMPARED_WITH = ("crun", "floor")


@dataclass(frozen=True)
class Result:
    """The samples of one runtime in one scenario, view and pace."""

    scenario: str
    title: str
    view: object
    pace: str
    runtime: str
    unit: str
    samples: list

    @property
    def minimum(self):
        return min(self.samples)

    @property
    def median(self):
        return statistics.median(self.samples)

    def as_dict(self):
        return {"scenario": self.scenario, "view": self.view.name, "pace": self.pace, "runtime": self.runtime,
                "unit": self.unit, "n": len(self.samples), "minimum": self.minimum, "median": self.median,
                "samples": [round(sample, 4) for sample in self.samples]}


def groups(results):
    """Lists of results that are compared with each other, in the order in which they were taken."""
    def key(result):
        return result.scenario, result.title, result.view.name, result.pace

    places = {}
    for result in results:
        places.setdefault(key(result), len(places))
    ordered = sorted(results, key=lambda result: places[key(result)])
    return [list(group) for _, group in itertools.groupby(ordered, key=key)]


def heading(group):
    """What the figures of GROUP are, with what distinguishes it from others."""
    first = group[0]
    words = [first.title]
    if first.scenario != "version":
        words.append(first.view.title)
    if first.unit == "ms" and first.scenario != "version":
        words.append(first.pace)
    return ", ".join(words)


def number(value, unit):
    return f"{value:.2f}" if unit == "ms" else f"{value:,.0f}"


def ratio(group, result, other, figure):
    """RESULT's FIGURE divided by OTHER's, "" where there is none or it says nothing."""
    base = next((getattr(one, figure) for one in group if one.runtime == other), 0)
    return f"{getattr(result, figure) / base:.2f}" if base and result.runtime != other else ""


def rows(group):
    """Cells: runtime, minimum, median, and for each of COMPARED_WITH the ratios of the minima and of the medians.

    What was measured once has no median.
    """
    for result in group:
        many = len(result.samples) > 1
        median = number(result.median, result.unit) if many else ""
        cells = [result.runtime, number(result.minimum, result.unit), median]
        for other in COMPARED_WITH:
            cells += [ratio(group, result, other, "minimum"), ratio(group, result, other, "median") if many else ""]
        yield cells


def table(results):
    line = "  {:8}{:>13}{:>13}{:>13}{:>9}{:>13}{:>9}"
    lines = []
    for group in groups(results):
        unit = group[0].unit or "count"
        lines += ["", heading(group)]
        lines += [line.format("", f"min {unit}", "median", "min/crun", "median", "min/floor", "median")]
        lines += [line.format(*cells).rstrip() for cells in rows(group)]
    return "\n".join(lines)


def markdown(results):
    """One table; ratios are of the minima, those of the medians follow in brackets."""
    lines = ["| | | min | median | × crun | × floor |", "|---|---|---:|---:|---:|---:|"]
    for group in groups(results):
        title, unit = heading(group), " " + group[0].unit
        for runtime, minimum, median, *ratios in rows(group):
            pairs = [f"{best} ({usual})" if usual else best for best, usual in zip(ratios[::2], ratios[1::2])]
            cells = [title, runtime, minimum + unit, median + unit if median else "", *pairs]
            lines.append("| " + " | ".join(cell.strip() for cell in cells) + " |")
            title = ""
    return "\n".join(lines)


# ---- the drawing ----------------------------------------------------------

WIDTH, LABEL, VALUE, BAR, GAP, HEAD = 720, 64, 150, 14, 6, 30
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600 }
  .note { fill: #656d76 }
  .tick { stroke: #1f2328; stroke-width: 2 }
  .rest { stroke: #8c959f; stroke-width: 1 }
  .thole { fill: #0969da } .crun { fill: #bf8700 } .runc { fill: #8250df } .floor { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .tick { stroke: #e6edf3 }
    .thole { fill: #4493f8 } .crun { fill: #d29922 } .runc { fill: #ab7df8 } .floor { fill: #7d8590 }
  }
"""


def svg(results, machine):
    """A panel for each group: bars to the minima, ticks at the medians.  Legible on light and dark."""
    body, y = [], 20
    body.append(f'<text class="note" x="0" y="{y}">bar: minimum, tick: median; {escape(machine)}</text>')
    for group in groups(results):
        y += HEAD
        unit = group[0].unit
        body.append(f'<text class="head" x="0" y="{y}">{escape(heading(group).replace("`", ""))}</text>')
        y += GAP + 2
        scale = (WIDTH - LABEL - VALUE) / max(result.median for result in group)
        for result in group:
            middle, end, tick = y + BAR / 2, LABEL + result.minimum * scale, LABEL + result.median * scale
            figures = " / ".join(dict.fromkeys(number(value, unit) for value in (result.minimum, result.median)))
            body += [
                f'<text x="0" y="{y + BAR - 3}">{result.runtime}</text>',
                f'<rect class="{result.runtime}" x="{LABEL}" y="{y}" width="{end - LABEL:.1f}" height="{BAR}" rx="2"/>',
                f'<line class="rest" x1="{end:.1f}" y1="{middle}" x2="{tick:.1f}" y2="{middle}"/>',
                f'<line class="tick" x1="{tick:.1f}" y1="{y}" x2="{tick:.1f}" y2="{y + BAR}"/>',
                f'<text x="{tick + 8:.1f}" y="{y + BAR - 3}">{figures} {unit}</text>',
            ]
            y += BAR + GAP
    height = y + 10
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{STYLE}</style>"]
    return "\n".join([*head, *body, "</svg>", ""])
