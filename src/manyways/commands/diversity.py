"""`manyways diversity`: how different anyone's texts are, pooled and per problem."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from manyways.commands.labellers import labeller_for
from manyways.commands.printing import open_table, print_result
from manyways.commands.texts_file import read_texts
from manyways.engines.embedding import load_embedder
from manyways.measures.diversity import Described, DiversityRow, diversity_row
from manyways.measures.solutions import Reader
from manyways.metrics.resampling import Resampling
from manyways.metrics.texts import EMBEDDER, distinct_n, embed
from manyways.progress import say
from manyways.tables import write_text


def diversity(
    path: Path,
    *,
    embedder: Path | None,
    pack: str | None,
    labeller: str | None,
    out: Path | None,
) -> DiversityRow:
    """Measure, print a table, and write JSON to ``out`` when given.

    embedder: folder of a sentence-embedding model; by default words and word pairs.
    pack: also count opening heuristics, labelled by ``labeller`` of this pack.

    Raises DataError for texts that cannot be read, ModelError or UserError for a model or labeller
    that does not exist.
    """
    found = read_texts(path)
    of, called = load_embedder(embedder) if embedder else (embed, EMBEDDER)
    labels = None
    if pack or labeller:
        reader = Reader(labeller_for(pack or "polya", labeller)[0])
        labels = [reader.ways(text).opening for text in found.texts]
    texts = Described(texts=found.texts, problems=found.problems, labels=labels)
    row = diversity_row(path.name, texts, Resampling(), embedder=(of, called))
    table = open_table("measure", "value", "95% interval", "problems")
    for score in (row.vendi, row.per_problem, row.heuristics):
        if score:
            bounds = f"{score.low:.3f} to {score.high:.3f}" if score.n > 1 else "needs two problems"
            table.add_row(score.name, f"{score.value:.3f}", bounds, str(score.n))
    for n in (1, 2, 3):
        share = distinct_n(found.texts, n)
        said = "none" if math.isnan(share) else f"{share:.4f}"
        table.add_row(f"distinct-{n}", said, "" if said != "none" else f"no {n} words in a row", "")
    print_result(table)
    say(f"{path.name}: {len(found.texts)} texts, embedder: {called}.")
    if not found.named:
        say("No line names its problem: every text counts as a problem of its own.")
    if out is not None:
        write_text(out, json.dumps(asdict(row), indent=1, ensure_ascii=False))
        say(f"diversity: {out}")
    return row
