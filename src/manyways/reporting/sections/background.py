"""What the run cost, where its numbers come from, and how far they carry."""

from collections.abc import Iterator

from manyways.fingerprint import fingerprint
from manyways.recipe.tree import Recipe
from manyways.reporting import charts_use, palette, words
from manyways.reporting.blocks import Block, Chart, Charts, Code, Note, Section, Table
from manyways.reporting.source import Source

COSTS = "Where the time and the tokens of this run went."
PROVENANCE = (
    "Everything needed to make this report again: the recipe, the versions, and a hash for each "
    "piece of work over all that it depends on."
)
CAUTIONS = "How far these results carry, and where to be careful."


def costs(source: Source) -> Section:
    """Seconds and tokens of each piece of work."""
    if not source.costs:
        empty = Note(kind="empty", sentences=("No finished work was recorded.",))
        return Section(id="costs", title="Costs", intro=COSTS, blocks=(empty,))
    rows = sorted(source.costs, key=lambda row: -row.seconds)
    seconds, tokens = sum(row.seconds for row in rows), sum(row.tokens for row in rows)
    stages: dict[str, float] = {}
    for row in rows:
        stage = row.work.split("/")[0]
        stages[stage] = stages.get(stage, 0.0) + row.seconds
    chart = Chart(
        id="seconds",
        title="Minutes by stage",
        alt="; ".join(f"{stage}: {words.duration(spent)}" for stage, spent in stages.items()),
        spec=charts_use.bars(
            list(stages),
            [
                charts_use.Bar(
                    name="minutes",
                    values=[round(s / 60, 2) for s in stages.values()],
                    colour=palette.hue(0),
                )
            ],
            axis="minutes",
            links=[""] * len(stages),
        ),
        height=70 + 30 * max(2, len(stages)),
    )
    table = Table(
        caption="Costs of each piece of work",
        head=("work", "time", "attempts", "tokens"),
        rows=tuple(
            (
                row.work,
                words.duration(row.seconds),
                words.count(row.attempts),
                words.count(row.tokens),
            )
            for row in rows
        ),
        folded=len(rows) > 12,
    )
    intro = f"{COSTS} All together {words.duration(seconds)} and {tokens:,} sampled tokens."
    return Section(id="costs", title="Costs", intro=intro, blocks=(Charts(charts=(chart,)), table))


def provenance(source: Source) -> Section:
    """Model, lineage, versions, hashes, recipe."""
    recipe = source.recipe
    run = Table(
        caption="The run",
        head=("", ""),
        rows=(
            ("run", source.name),
            ("base model", recipe.model.path),
            ("heuristic pack", f"{recipe.heuristics.pack}, first {recipe.heuristics.count}"),
            ("labeller of steps", recipe.heuristics.labeller),
            ("problems", f"{recipe.generate.problems} (data), {recipe.rl.problems} (RL)"),
            ("benchmarks", ", ".join(recipe.evaluate.benchmarks)),
            ("arms", ", ".join(recipe.arms)),
            ("training seeds", ", ".join(map(str, recipe.seeds))),
        ),
    )
    lineage = Note(kind="finding", sentences=tuple(_lineage(recipe)))
    blocks: list[Block] = [run, lineage, *_stamps(source)]
    blocks.append(Code(caption="The recipe, every default spelled out", text=source.recipe_text))
    return Section(id="provenance", title="Provenance", intro=PROVENANCE, blocks=tuple(blocks))


def _lineage(recipe: Recipe) -> Iterator[str]:
    """Who wrote what the arms were trained on."""
    foreign = [arm.name for arm in recipe.parsed_arms if arm.kind.foreign]
    late = [arm.name for arm in recipe.parsed_arms if arm.round > 1]
    but = f" but {words.listing([*foreign, *late])}" if foreign or late else ""
    yield (
        f"Self-generated: every arm{but} is trained on attempts of the base model above, from one "
        "pool. The life of any problem: manyways show RUN PROBLEM."
    )
    if late:
        yield (
            f"Self-generated in rounds: each seed of {words.listing(late)} is trained on attempts "
            "of its own mid-trained checkpoint of the round before, and goes on from that."
        )
    if foreign and recipe.distill:
        model = recipe.distill.model
        source = model.path if model else f"the attempts in {recipe.distill.attempts}"
        yield f"Not self-generated: {words.listing(foreign)}, trained on {source}."


def _stamps(source: Source) -> list[Block]:
    versions = {name: v for stamp in source.stamps for name, v in stamp.versions.items()}
    blocks: list[Block] = []
    if versions:
        blocks.append(
            Table(caption="Versions", head=("package", "version"), rows=tuple(versions.items()))
        )
    if source.stamps:
        blocks.append(
            Table(
                caption="Finished work",
                head=("work", "hash of its inputs", "written to"),
                rows=tuple(
                    (stamp.work, fingerprint(stamp.identity), ", ".join(stamp.outputs))
                    for stamp in source.stamps
                ),
                folded=True,
            )
        )
    return blocks


def cautions(source: Source) -> Section:
    """Cautions of the analysis, then those that hold for every run."""
    found = tuple(f.sentence for f in source.findings if f.kind == "caution")
    note = Note(kind="caution", sentences=(*found, *_standing(source)))
    return Section(id="cautions", title="Cautions", intro=CAUTIONS, blocks=(note,))


def _standing(source: Source) -> tuple[str, ...]:
    recipe = source.recipe
    return (
        f"These results are about {recipe.model.path} on "
        f"{words.listing(recipe.evaluate.benchmarks)}; they do "
        "not show what another model or other problems would do.",
        f"{words.plural(len(recipe.seeds), 'training seed')}: the luck of training is known only "
        "as far as the seeds differ.",
        _length(recipe),
        f"Steps are labelled by '{recipe.heuristics.labeller}'; its errors enter every composition "
        "and switch rate.",
    )


def _length(recipe: Recipe) -> str:
    """How long arms are mid-trained, and what that makes unequal."""
    steps = recipe.midtrain.steps
    other = [arm.name for arm in recipe.parsed_arms if arm.steps or arm.epochs]
    length = f"{steps} optimizer steps" if steps else f"{recipe.midtrain.epochs:g} epochs"
    but = f" but {words.listing(other)}, whose length is in the name," if other else ""
    unequal = (
        "arms with fewer examples see each more often"
        if steps
        else "arms with more examples take more steps"
    )
    return f"Every arm{but} is mid-trained for {length}, so {unequal}."
