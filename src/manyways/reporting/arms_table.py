"""The comparison table of arms and benchmarks, as Markdown, CSV and LaTeX (booktabs)."""

import csv
import io
from collections.abc import Callable, Sequence

from manyways.records import Score
from manyways.reporting import ArmsTable, Published, percent
from manyways.reporting.words import NONE

MARK = "published, not measured here (arXiv 2605.08472, secondary summaries)"
"""First entry of a CSV row with the paper's figures."""
MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})
LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"–": "--", "·": r"$\cdot$", "−": "$-$", "<": r"\textless{}", ">": r"\textgreater{}"}
)

BRACKETS = " In brackets: 95% bootstrap intervals over problems."
"""Follows the caption if intervals are printed."""


def to_markdown(table: ArmsTable, *, intervals: bool = True) -> str:
    """A table for a README, with the best score of each column in bold."""
    head = ["", "seeds", *(f"{c.benchmark} {c.measure}" for c in table.columns)]
    caption = table.caption + (BRACKETS if intervals else "")
    lines = [caption.translate(MARKDOWN), "", *_markdown_head(head)]
    best = [table.best(j) for j in range(len(table.columns))]
    for i, row in enumerate(table.rows):
        entries = [_seeds(row.seeds)]
        for j, score in enumerate(row.scores):
            text = percent(score.value) if score else NONE
            text = f"**{text}**" if i in best[j] else text
            entries.append(text + (f" \\[{_bounds(score)}\\]" if score and intervals else ""))
        lines.append(f"| {row.label.translate(MARKDOWN)} | {' | '.join(entries)} |")
    if table.published:
        lines += ["", f"**{table.published.source.translate(MARKDOWN)}**", ""]
        lines += _markdown_published(table.published)
    return "\n".join(lines) + "\n"


def to_csv(table: ArmsTable, *, intervals: bool = True) -> str:
    """One row per arm; then published figures, which the first column marks."""
    measured = [f"{c.benchmark} {c.measure}" for c in table.columns]
    quoted = [f"{b} {m}" for b, m in table.published.columns] if table.published else []
    extra = [name for name in quoted if name not in measured]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    steps = ("", " low", " high", " problems") if intervals else ("",)
    names = [f"{name}{step}" for name in measured for step in steps]
    writer.writerow(["source", "row", "seeds", *names, *extra])
    for row in table.rows:
        entries = [entry for score in row.scores for entry in _csv_entries(score, intervals)]
        seeds = "" if row.seeds is None else row.seeds
        writer.writerow(["measured", row.label, seeds, *entries, *("" for _ in extra)])
    if table.published:
        for label, values in table.published.rows:
            given = dict(zip(quoted, values, strict=True))
            figures = [_plain(given.get(name)) for name in [*names, *extra]]
            writer.writerow([MARK, label, "", *figures])
    return text.getvalue()


def to_latex(table: ArmsTable, *, intervals: bool = True) -> str:
    r"""Table environments for ``\usepackage{booktabs}``. Published figures have their own."""
    best = [table.best(j) for j in range(len(table.columns))]
    rows = []
    for i, row in enumerate(table.rows):
        entries = [tex(row.label), tex(_seeds(row.seeds))]
        for j, score in enumerate(row.scores):
            text = percent(score.value) if score else "--"
            text = rf"\textbf{{{text}}}" if i in best[j] else text
            small = rf" {{\scriptsize[{_bounds(score)}]}}" if score and intervals else ""
            entries.append(text + small)
        rows.append(entries)
    columns = [(c.benchmark, c.measure) for c in table.columns]
    parts = ["% needs \\usepackage{booktabs}"]
    caption = table.caption + (BRACKETS if intervals else "")
    parts += _environment(caption, ["", "seeds"], columns, rows)
    if table.published:
        quoted = [
            [tex(label), *("--" if v is None else f"{v:.2f}" for v in values)]
            for label, values in table.published.rows
        ]
        parts += ["", *_environment(table.published.source, [""], table.published.columns, quoted)]
    return "\n".join(parts) + "\n"


FORMATS: dict[str, Callable[..., str]] = {
    "markdown": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
}


def tex(text: str) -> str:
    """``text`` with all characters escaped that LaTeX would interpret."""
    return text.translate(LATEX)


def _environment(
    caption: str, lead: Sequence[str], columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str]],
) -> list[str]:  # fmt: skip
    """A table whose head names each benchmark once, above its measures."""
    spans: list[tuple[str, int]] = []
    for benchmark, _ in columns:
        if spans and spans[-1][0] == benchmark:
            spans[-1] = (benchmark, spans[-1][1] + 1)
        else:
            spans.append((benchmark, 1))
    top = [*("" for _ in lead), *(rf"\multicolumn{{{n}}}{{c}}{{{tex(b)}}}" for b, n in spans)]
    rules, start = [], len(lead) + 1
    for _, width in spans:
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    bottom = [*map(tex, lead), *(tex(measure) for _, measure in columns)]
    return [
        r"\begin{table*}",
        r"\centering",
        r"\small",
        rf"\caption{{{tex(caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(lead) - 1 + len(columns))}}}",
        r"\toprule",
        _tex_line(top),
        *(["".join(rules)] if rules else []),
        _tex_line(bottom),
        r"\midrule",
        *(_tex_line(row) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]


def _tex_line(entries: Sequence[str]) -> str:
    return " & ".join(entries) + r" \\"


def _markdown_head(head: Sequence[str]) -> list[str]:
    rules = ["---", *("---:" for _ in head[1:])]
    return [
        f"| {' | '.join(entry.translate(MARKDOWN) for entry in head)} |",
        f"| {' | '.join(rules)} |",
    ]


def _markdown_published(published: Published) -> list[str]:
    lines = _markdown_head(["published", *(f"{b} {m}" for b, m in published.columns)])
    for label, values in published.rows:
        entries = (NONE if v is None else f"{v:.2f}" for v in values)
        lines.append(f"| {label.translate(MARKDOWN)} | {' | '.join(entries)} |")
    return lines


def _bounds(score: Score) -> str:
    return f"{percent(score.low)}, {percent(score.high)}"


def _seeds(seeds: int | None) -> str:
    return NONE if seeds is None else str(seeds)


def _csv_entries(score: Score | None, intervals: bool) -> list[str]:
    if score is None:
        return [""] * (4 if intervals else 1)
    values = (score.value, score.low, score.high) if intervals else (score.value,)
    entries = [f"{100 * value:.4f}" for value in values]
    return [*entries, str(score.n)] if intervals else entries


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
