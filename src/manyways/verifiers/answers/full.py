r"""The second step of the comparison: what an answer means. It only runs in a worker process.

An answer is divided by its brackets (``shapes``). Its items are compared one by one: first as
strings and numbers (``quick``), then as words, then as expressions (``symbolic``).

Policy
- Several answers (``1, 2`` or ``1 and 2`` or ``1; 2``) may come in any order. Saying one twice
  changes nothing, unless the reference itself repeats one: then each must come as often as there.
  In a set ``\{1, 2\}`` repetition means nothing. In a tuple, a point, an interval or
  a matrix the order counts, and so do an interval's brackets.
- ``1, 2`` without brackets matches ``(1, 2)`` in that order, and ``\{1, 2\}`` in any.
- A column or row vector matches the tuple of its entries.
- ``x = 5`` matches ``5``, ``f(x) = 2x`` matches ``2x``, ``x \in S`` matches ``S``; two equations
  have to agree in their names too. Of a chain ``a = b = c`` the last member counts; of
  ``a \approx b`` the exact one.
- An inequality matches the interval of its solutions.
- A ratio ``1:4`` matches ``1/4`` and ``2:8``.
"""

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction

from manyways.verifiers.answers import decide, quick
from manyways.verifiers.answers.numbers import differ, is_rounding, surely_differ, value
from manyways.verifiers.answers.shapes import (
    MAX_ITEMS,
    Shape,
    as_intervals,
    ascending,
    end_of_brackets,
    read_shapes,
    split,
)
from manyways.verifiers.answers.spelling import squeeze, tidy, unwrap_text
from manyways.verifiers.answers.symbolic import Decision, latex_of_code, same_expression
from manyways.verifiers.answers.units import is_product, read_quantities
from manyways.verifiers.answers.words import same_words

_ORDERED = ({"sequence"}, {"matrix"}, {"list", "sequence"})
_LETTER = r"(?:\\[a-zA-Z]+|[a-zA-Z])"
_SCRIPT = r"(?:_\s*(?:\{[^{}]*\}|\w)|\^\s*\{?\s*(?:\\prime|\*|[-+])\s*\}?|'+)"
_SYMBOL = rf"{_LETTER}\s*(?:{_SCRIPT}\s*)*"
_NAME = re.compile(
    rf"(?:{_SYMBOL}|\\(?:vec|hat|bar|overline|mathbf|mathcal|widehat|tilde|dot)\s*\{{[^{{}}]*\}}\s*(?:{_SCRIPT})*"
    rf"|(?:m\s*)?(?:\\(?:angle|triangle|det|dim|deg|min|max|Re|Im)\s*)?(?:[A-Z]{{1,4}}|{_SYMBOL})|\|[A-Z]{{2}}\|"
    r"|\\frac\{d\s*[a-zA-Z]\}\{d\s*[a-zA-Z]\}|d[a-z]/d[a-z]|\(\s*[a-zA-Z](?:_\w)?(?:\s*,\s*[a-zA-Z](?:_\w)?)+\s*\)"
    rf"|\\(?:sin|cos|tan|cot|sec|csc|log|ln)\s*(?:{_SYMBOL}|[A-Z]{{1,3}}))\s*"
)
_CALLED = re.compile(
    rf"(?:{_SYMBOL}|\\(?:mathbb|mathrm|operatorname)\{{[A-Za-z]+\}}\s*(?:_\w)?|gcd|lcm|max|min|deg|Var|Cov|Pr|det)\s*(?=[(\[])"
)
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_PHRASE = re.compile(r"[^\W\d_]+(?:[\s'-]+[^\W\d_]+)*\s*:?")
_FACTORS = tuple("abcdijklmntxyz")
"""A bracket after one of these is more likely a product than a call."""
_VALUE_OF = re.compile(r"y?[a-zA-Z]\([a-z]\)y?")
_MEMBER = re.compile(r"^\s*\(?\s*[a-zA-Z](?:\s*,\s*[a-zA-Z])*\s*\)?\s*\\in(?![a-zA-Z])")
_APPROXIMATELY = re.compile(r"\\(?:approx|simeq|sim|doteq)(?![a-zA-Z])|~=")
_RATIO = re.compile(r"([0-9.]+)\s*:\s*(0*[1-9][0-9.]*)")
_PROPORTION = re.compile(r"[0-9.]+(?:\s*:\s*[0-9.]+){2,7}")
_GROUPING = re.compile(r"\$|(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_YES = re.compile(r"(yes|no|true|false)\s*[,.;:!]", re.I)
_FOLLOWS = re.compile(r"\\(?:Rightarrow|therefore|to)(?![a-zA-Z])")
_APART = re.compile(r"(?<![\w^.}])-?[0-9.]+\s+[0-9.]+(?![\w/.])")
_SAID = re.compile(r"([a-zA-Z])\s+is\s+([^=]{1,40})|([^=]{1,40}?)\s*=\s*([a-zA-Z])")
_MAX_DEPTH = 6


def same_answer(gold: str, answer: str) -> Decision:
    """Are the two the same answer? ``gold`` is the reference: the comparison follows its form."""
    answer = _conclusion(tidy(gold), tidy(latex_of_code(answer) or answer))
    gold = tidy(latex_of_code(gold) or gold)
    return _same(gold, quick.as_number(gold, answer), 0)


def warm_up() -> None:
    """Import and build everything beforehand that would count for the first answer's limit."""
    same_answer(r"\frac{x}{2}+1", r"\frac{2+x}{2}")


def _same_quantities(gold: str, answer: str) -> Decision | None:
    """``quick.same_quantities`` with roundings, which the first step does not decide."""
    found = quick.same_quantities(gold, answer, lambda one, two: not is_rounding(one, two))
    if found == ():
        return None
    return found or (True, "rounded")


def _conclusion(gold: str, answer: str) -> str:
    r"""``42`` of ``x \Rightarrow 42``, ``Yes`` of ``Yes, it is``."""
    said = _YES.match(answer) if _YES.fullmatch(f"{gold},") else None
    if said:
        return said[1]
    parts = _FOLLOWS.split(answer) if not _FOLLOWS.search(gold) else [answer]
    return parts[-1].strip() or answer


def _same(gold: str, answer: str, depth: int) -> Decision:
    outcome = decide(gold, answer) if answer else (False, "empty")
    if outcome is not None:
        return outcome
    if depth > _MAX_DEPTH:
        return None, "error: nested too deeply"
    simple = as_intervals(*(_MEMBER.sub("", _exact_member(text)) for text in (gold, answer)))
    if simple != (gold, answer):
        return _same(*simple, depth + 1)
    whole = _same_quantities(gold, answer) or _same_order(gold, answer, depth)
    if whole is not None:
        return whole
    left, right = read_shapes(gold, answer)
    if left.kind == right.kind == "value":
        return _same_value(left.items[0], right.items[0], depth)
    return _same_shape(left, right, depth) or same_expression(gold, answer)


def _exact_member(text: str) -> str:
    parts = [part.strip() for part in _APPROXIMATELY.split(text) if part.strip()]
    if len(parts) > 1 and _NAME.fullmatch(parts[0]):
        return parts[1]
    return parts[0] if parts else text


def _same_value(gold: str, answer: str, depth: int) -> Decision:
    turned = _name_first(gold), _name_first(answer)
    if turned != (gold, answer):
        return _same(*turned, depth + 1)
    words = same_words(gold, answer)
    if words is not None:
        return words, "words"
    shorter = _without_names(gold, answer)
    if shorter != (gold, answer):
        return _same(*shorter, depth + 1)
    clash = _no_value(gold, answer)
    return (False, clash) if clash else _same_formula(gold, answer)


def _no_value(gold: str, answer: str) -> str:
    """Why two values cannot be equal; empty when they may be."""
    if (len(split(gold, "=")) > 1) != (len(split(answer, "=")) > 1):
        return "equation"
    if "=" in gold and not (_has_letters(gold) and _has_letters(answer)):
        return "equation"
    return "numerals apart" if any(map(_APART.search, (gold, answer))) else ""


def _same_formula(gold: str, answer: str) -> Decision:
    left, right = quick.numeral(gold), quick.numeral(answer, letters=True)
    if left[0] and right[0]:
        return is_rounding(left[0], right[0]), "rounded"
    return same_expression(left[2], quick.numeral(answer)[2])


def _name_first(text: str) -> str:
    """``x = 5`` for ``5 = x`` and for ``x is 5``; only for a letter and a numeral."""
    said = _SAID.fullmatch(text)
    name, number = (said[1] or said[4], said[2] or said[3]) if said else ("", "")
    return f"{name} = {number}" if number and quick.numeral(number)[0] else text


def _without_names(gold: str, answer: str) -> tuple[str, str]:
    """Remove names: ``x = 5`` and ``5``, ``S = 1:4`` and ``1/4`` can then be compared."""
    one, two = _last_member(gold), _last_member(answer)
    named = one != gold, two != answer
    alone = named[0] != named[1] and not ("=" in gold and "=" in answer)
    alone |= all(named) and not _has_letters(gold) and not _has_letters(answer)
    if alone or (all(named) and _same_name(_first_member(gold), _first_member(answer))):
        return one, two
    ratios = [_RATIO.fullmatch(text) for text in (gold, answer)]
    if not any(ratios):
        return gold, answer
    one, two = (
        f"({r[1]})/({r[2]})" if r else t for r, t in zip(ratios, (gold, answer), strict=True)
    )
    return one, two


def _same_name(gold: str, answer: str) -> bool:
    """Whether two left sides are the same, or one is ``y`` and the other a function's value."""
    left, right = squeeze(gold), squeeze(answer)
    return left == right or ("y" in (left, right) and bool(_VALUE_OF.fullmatch(left + right)))


def _last_member(text: str) -> str:
    """``5`` for ``x = 5``; the text itself when its left side is more than a name or a call.

    Likewise for a chain that is true, such as ``2 + 3 = 5``. ``3 = 7`` stays as it is.
    """
    members = split(text, "=")
    if len(members) < 2 or text.rstrip().endswith("="):
        return text
    named = _is_name(members[0])
    if not named and _has_letters("=".join(members[:-1])):
        return text
    claims = members[1:] if named else members
    holds = all(_holds(a, b, sure=not named) for a, b in itertools.pairwise(claims))
    return members[-1].strip() if holds else text


def _has_letters(text: str) -> bool:
    return re.search(r"[a-zA-Z]", _COMMAND.sub("", unwrap_text(text))) is not None


def _is_name(text: str) -> bool:
    """Whether ``text`` can name a value: ``x``, ``f(2)``, ``P(A|B)``, ``AB``, ``Total cost``."""
    bare = " ".join(unwrap_text(text).split()).strip(" :")
    if _NAME.fullmatch(bare):
        return True
    called = _CALLED.match(bare)
    if called:
        whole = end_of_brackets(bare, called.end()) == len(bare)
        letter, argument = called.group().strip(), bare[called.end() + 1 : -1]
        several = len(argument) > 1 and "," not in argument
        product = letter in argument or (letter in _FACTORS and several)
        return whole and not product
    words = _PHRASE.fullmatch(bare)
    return bool(words) and any(len(w) > 2 and not is_product(w) for w in bare.split())


def _holds(one: str, two: str, *, sure: bool) -> bool:
    """Whether ``one = two`` is true; without ``sure``, whether it is not certainly false."""
    left, right = (quick.numeral(text) for text in (one, two))
    spoken = read_quantities(two, sure=False) if right[0] is None else None
    if spoken and len(spoken) == 1:
        right = spoken[0].number, "", ""
    if left[0] and right[0]:
        return not surely_differ(left[0], right[0])
    sizes = [
        complex(n.value) if n and n.fits else value(_GROUPING.sub("", bare))
        for n, _, bare in (left, right)
    ]
    if sizes[0] is not None and sizes[1] is not None:
        return not differ(sizes[0], sizes[1])
    return not sure or same_expression(left[2], right[2])[0] is True


def _first_member(text: str) -> str:
    return split(text, "=")[0]


def _same_shape(gold: Shape, answer: Shape, depth: int) -> Decision | None:
    """Compare item by item, or None when the two answers have to be compared as a whole."""
    if max(len(gold.items), len(answer.items)) > MAX_ITEMS:
        return None, f"error: more than {MAX_ITEMS} parts"
    gold, answer = _in_groups(gold), _in_groups(answer)
    kinds = {gold.kind, answer.kind}
    clash = _clash(gold, answer)
    if clash:
        return False, clash
    named = [_in_order(one, two, depth) for one, two in _by_name(gold, answer)]
    if named:
        return next((found for found in named if found[0]), named[0])
    if kinds in _ORDERED or (kinds == {"sequence", "matrix"} and _is_vector(gold, answer)):
        return _in_order(gold, answer, depth)
    return _same_parts(gold, answer, depth)


def _same_parts(gold: Shape, answer: Shape, depth: int) -> Decision | None:
    """``_same_shape`` for shapes whose order does not count."""
    kinds = {gold.kind, answer.kind}
    if kinds == {"union"}:
        matched = _any_order(gold.items, answer.items, depth)
        return matched if matched[0] else None
    if kinds <= {"set", "list"}:
        repeats = len(set(map(squeeze, gold.items))) < len(gold.items)
        multiple = repeats and kinds == {"list"}
        return (_any_order if multiple else _as_sets)(gold.items, answer.items, depth)
    return _named_parts(gold, answer, depth)


def _is_vector(gold: Shape, answer: Shape) -> bool:
    matrix = gold if gold.kind == "matrix" else answer
    return matrix.width in (1, len(matrix.items))


def _by_name(gold: Shape, answer: Shape) -> list[tuple[Shape, Shape]]:
    """``x=2, y=3`` and values without names: x, y, z in alphabetical order, others as given."""
    left, right = _values_of(gold), _values_of(answer)
    if bool(left) == bool(right):
        return []
    bare = answer if left else gold
    if bare.kind not in ("sequence", "list") or any("=" in item for item in bare.items):
        return []
    names = left or right
    letters = sorted(name for name, _ in names)
    row = all(ord(b[-1]) - ord(a[-1]) == 1 for a, b in itertools.pairwise(letters))
    given = Shape("list", tuple(value for _, value in names))
    ordered = Shape("list", tuple(value for _, value in sorted(names))) if row else given
    return [(ordered, bare), (given, bare)] if left else [(bare, ordered)]


def _values_of(shape: Shape) -> list[tuple[str, str]]:
    """(name, value) of every item, if each gives a value to another letter; else none."""
    if shape.kind not in ("list", "sequence") or not all("=" in item for item in shape.items):
        return []
    pairs = [tuple(part.strip() for part in split(item, "=")) for item in shape.items]
    letters = [pair[0] for pair in pairs]
    plain = all(len(pair) == 2 and re.fullmatch(r"\\?[a-zA-Z]+", pair[0]) for pair in pairs)
    distinct = len(set(letters)) == len(letters) > 1
    return [(pair[0], pair[1]) for pair in pairs] if plain and distinct else []


def _same_order(gold: str, answer: str, depth: int) -> Decision | None:
    """Compare chains (``A < B < C`` and ``C > B > A``) and ratios (``2:3:5`` and ``4:6:10``)."""
    if _PROPORTION.fullmatch(gold) and _PROPORTION.fullmatch(answer):
        sides = [[Fraction(n) for n in text.split(":")] for text in (gold, answer)]
        if len(sides[0]) != len(sides[1]) or not all(map(any, sides)):
            return False, "ratio"
        crossed = [a * sum(sides[1]) == b * sum(sides[0]) for a, b in zip(*sides, strict=True)]
        return all(crossed), "ratio"
    one, two = ascending(gold), ascending(answer)
    if not one or not two or one[1] != two[1] or len(one[0]) < 2:
        return None
    same = [_same(a, b, depth + 1)[0] for a, b in zip(one[0], two[0], strict=True)]
    return (True, "order") if all(same) else None


def _in_groups(shape: Shape) -> Shape:
    """``p=5, q=2, p=7, q=2`` is two answers: the first name begins a new one when it repeats."""
    names = [_first_member(item) if "=" in item else "" for item in shape.items]
    if shape.kind != "list" or not all(names) or names.count(names[0]) in (1, len(names)):
        return shape
    starts = [i for i, name in enumerate(names) if name.strip() == names[0].strip()]
    groups = zip(starts, [*starts[1:], len(names)], strict=True)
    return Shape("list", tuple(", ".join(shape.items[a:b]) for a, b in groups))


def _clash(gold: Shape, answer: Shape) -> str:
    """Why two shapes cannot match; empty when they may."""
    if {gold.kind, answer.kind} == {"sequence", "set"}:
        return "shape"
    pairs = gold.kind == answer.kind == "sequence" and len(gold.items) == 2
    return "brackets" if pairs and gold.brackets != answer.brackets else ""


def _in_order(gold: Shape, answer: Shape, depth: int) -> Decision:
    if len(gold.items) != len(answer.items):
        return False, "shape"
    unknown: Decision | None = None
    for one, two in zip(gold.items, answer.items, strict=True):
        equal, rule = _same(one, two, depth + 1)
        if equal is False:
            return False, rule
        if equal is None:
            unknown = None, rule
    return unknown or (True, gold.kind)


def _any_order(gold: Sequence[str], answer: Sequence[str], depth: int) -> Decision:
    """Match each item of the reference with another item of the answer."""
    if len(gold) != len(answer):
        return False, "shape"
    left = list(answer)
    for one in gold:
        found = _index(one, left, depth)
        if isinstance(found, str):
            return (None, found) if found else (False, "list")
        left.pop(found)
    return True, "list"


def _as_sets(gold: Sequence[str], answer: Sequence[str], depth: int) -> Decision:
    for some, others in ((gold, answer), (answer, gold)):
        for one in some:
            found = _index(one, others, depth)
            if isinstance(found, str):
                return (None, found) if found else (False, "set")
    return True, "set"


def _index(part: str, others: Sequence[str], depth: int) -> int | str:
    """The index of ``part`` in ``others``; "" if it is not there, or why that is undecided."""
    unknown = ""
    order = sorted(range(len(others)), key=lambda i: squeeze(others[i]) != squeeze(part))
    for i in order:
        equal, rule = _same(part, others[i], depth + 1)
        if equal:
            return i
        if equal is None:
            unknown = rule
    return unknown


def _named_parts(gold: Shape, answer: Shape, depth: int) -> Decision | None:
    """``x=2, y=3`` and ``(2,3)``; a single value and a list of inequalities."""
    for one, two in ((gold, answer), (answer, gold)):
        if one.kind == "value" and two.kind in ("sequence", "set", "list"):
            bare = _last_member(one.items[0])
            if bare != one.items[0]:
                if one is gold:
                    return _same(bare, _text(two), depth + 1)
                return _same(_text(two), bare, depth + 1)
    return None


def _text(shape: Shape) -> str:
    joined = ", ".join(shape.items)
    if shape.kind == "sequence":
        return shape.brackets[0] + joined + shape.brackets[1]
    return f"\\{{{joined}\\}}" if shape.kind == "set" else joined
