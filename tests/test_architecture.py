"""The bars that we hold ourselves to, measured so that they cannot slide unseen."""

import ast
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "manyways"
FILES = sorted(SOURCE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> list[tuple[str, Function]]:
    return [
        (f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}", node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, Function)
    ]


def length(node: Function) -> int:
    """Lines of a function without its docstring."""
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return whole - ((first.end_lineno or 0) - first.lineno + 1 if is_doc else 0)


def test_functions_are_short() -> None:
    lengths = sorted((length(node), name) for name, node in functions())
    assert lengths[-1][0] <= 60, lengths[-3:]
    assert lengths[int(0.9 * len(lengths))][0] <= 30, lengths[int(0.9 * len(lengths))]


def test_files_are_short() -> None:
    long = {str(p.relative_to(SOURCE)): len(p.read_text().splitlines()) for p in FILES}
    assert {name: lines for name, lines in long.items() if lines > 500} == {}


def test_the_package_does_not_grow_unseen() -> None:
    """The aim is 200 files and 31,000 lines; raise a number only with a reason in the commit."""
    assert len(FILES) <= 200
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in FILES) <= 49_150


def test_arguments_are_few_and_named() -> None:
    # Commands of the CLI have one parameter per option; nothing calls them positionally.
    for name, node in functions():
        if name.startswith("cli/"):
            continue
        positional = [a.arg for a in node.args.posonlyargs + node.args.args]
        positional = [a for a in positional if a not in ("self", "cls")]
        total = len(positional) + len(node.args.kwonlyargs)
        assert total <= 8, f"{name} takes {total} arguments"
        assert len(positional) <= 4, f"{name} takes {len(positional)} positional arguments"


def test_most_functions_take_at_most_two_arguments_by_position() -> None:
    """The aim is none that takes more; the share may only fall."""
    named = [node for name, node in functions() if not name.startswith("cli/")]
    more = [
        node
        for node in named
        if len([a for a in node.args.posonlyargs + node.args.args if a.arg not in ("self", "cls")])
        > 2
    ]
    assert len(more) <= 0.145 * len(named), len(more)


def test_small_files_are_few() -> None:
    """A file of under 40 lines of code needs a reason; the share may only fall."""
    sizes = [
        lines_of_code(path) for path in FILES if path.name not in ("__init__.py", "__main__.py")
    ]
    assert sum(size < 40 for size in sizes) <= 0.045 * len(sizes)


def lines_of_code(path: Path) -> int:
    """Lines that hold more than a comment, a docstring or nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node)
    }
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and id(node) not in docs:
            inner = getattr(node, "body", None)
            last = inner[0].lineno - 1 if isinstance(inner, list) and inner else node.end_lineno
            found.update(range(node.lineno, max(node.lineno, last or 0) + 1))
    return len(found)


def test_records_are_frozen_and_keyword_only() -> None:
    from manyways import records

    classes = [one for one in vars(records).values() if is_dataclass(one)]
    assert len(classes) > 5
    for one in classes:
        assert one.__dataclass_params__.frozen, one
        assert all(part.kw_only for part in fields(one)), one


def test_inheritance_is_shallow() -> None:
    bases: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [b.id for b in node.bases if isinstance(b, ast.Name)]

    def depth(name: str) -> int:
        return 1 + max((depth(b) for b in bases[name] if b in bases), default=0)

    # errors.py draws its tree in its docstring; a tree of exceptions is the exception.
    errors = {n.name for n in ast.walk(ast.parse((SOURCE / "errors.py").read_text()))
              if isinstance(n, ast.ClassDef)}  # fmt: skip
    deep = {n: depth(n) for n in bases if n not in errors and not _is_error(n, bases, errors)}
    assert {n: d for n, d in deep.items() if d > 2} == {}


def _is_error(name: str, bases: dict[str, list[str]], errors: set[str]) -> bool:
    return name in errors or any(_is_error(b, bases, errors) for b in bases.get(name, []))


def test_help_loads_little() -> None:
    """What --help costs is what it imports."""
    code = (
        "import sys; sys.argv = ['manyways', '--help']\n"
        "import manyways.cli.app\n"
        "try: manyways.cli.app.main()\n"
        "except SystemExit: pass\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print('heavy:', sorted(tops & {'torch', 'transformers', 'trl', 'datasets', 'plotly', "
        "'sklearn', 'scipy', 'numpy', 'pyarrow', 'sympy', 'pandas', 'ray', 'vllm'}))\n"
        "print('modules:', len(sys.modules))\n"
        "print('ours:', sum(name.startswith('manyways') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = dict(re.findall(r"^(heavy|modules|ours): (.*)$", done.stdout, re.MULTILINE))
    assert told["heavy"] == "[]"
    assert "generate" in done.stdout
    assert int(told["modules"]) < 250, told
    assert int(told["ours"]) < 20, told


def test_readme_tree_is_the_tree() -> None:
    """The folder tree in README names exactly the modules and folders that exist."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```\nsrc/manyways/\n(.*?)```", text, re.DOTALL)
    assert block, "README has no tree that starts with src/manyways/"
    named = set(re.findall(r"^  ([\w.]+/?)", block[1], re.MULTILINE))
    there = {p.name for p in SOURCE.glob("*.py") if p.name != "__init__.py"}
    there |= {f"{p.name}/" for p in SOURCE.iterdir() if (p / "__init__.py").exists()}
    assert named == there


@pytest.mark.parametrize("folder", ["src", "tests", "docs", "recipes", "bench", "README.md"])
def test_no_text_names_a_persons_folder(folder: str) -> None:
    """A path below somebody's home folder holds on one machine only."""
    personal = re.compile(r"/(?:home|Users)/\w+/|/root/\w+/")
    root = ROOT / folder
    paths = [root] if root.is_file() else sorted(root.rglob("*"))
    for path in paths:
        if path.suffix in {".py", ".md", ".toml", ".css", ".js", ".j2", ".txt"}:
            found = personal.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path}: {found and found[0]}"


def test_test_files_have_names_of_their_own() -> None:
    """They are imported by name; of two that share one, pytest collects one and stops."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted(n for n in set(names) if names.count(n) > 1)


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "docs"])
def test_problem_sets_come_from_where_the_user_says(folder: str) -> None:
    """MANYWAYS_DATA or --data-dir; no place is guessed from where the checkout lies."""
    guess = re.compile(r"shared.{1,5}data\b|parents\[2\]\.parent")
    texts = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.md")]
    found = [path for path in texts if guess.search(path.read_text(encoding="utf-8"))]
    assert {*found} <= {Path(__file__)}


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_packages_are_named_and_their_source_is_the_users_to_choose(name: str) -> None:
    """No address of a package index and no file of one machine."""
    text = (ROOT / name).read_text().replace("https://arxiv.org/", "")
    assert not re.search(r"://|\s@\s|--index|--find-links", text)
