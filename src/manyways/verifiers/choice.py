r"""Multiple choice: the answer is an option's letter, or its text.

``B``, ``(B)``, ``B.``, ``\text{(B)}``, ``option B``, ``B) the pantry`` and ``the pantry`` all name
the second option. A letter followed by the text of another option names none.
"""

import re
from collections.abc import Sequence

from manyways.records import Problem, Verdict
from manyways.verifiers.answers.spelling import tidy, unwrap_text
from manyways.verifiers.final_answer import Form, Policy, extract

_LETTER = re.compile(
    r"(?i:option|choice|answer)?\s*[(\[]?\s*([A-Za-z])\s*[)\]]?\s*(?:[.:,)\-]+\s*(.*)|\s+(.*))?",
    re.S,
)

_UNNAMED = ("",) * 5
"""Where a problem does not tell its options, there are taken to be as many as usual."""


def verify(
    problem: Problem, text: str, *, policy: Policy = "strict", form: Form = "boxed"
) -> Verdict:
    """Judge which option the final answer of ``text`` names."""
    found = extract(text, policy=policy, form=form, choices=problem.choices or _UNNAMED)
    if found is None:
        return Verdict(status="no_answer", rule="none")
    named, rule = option(found.answer[:2000], problem.choices)
    gold, _ = option(problem.answer, problem.choices)  # "C Cecile" where no options are given
    gold = gold or _leading_letter(problem.answer)
    return Verdict(
        status="correct" if named and named == gold else "wrong",
        answer=found.answer,
        rule=f"{found.rule}/{rule}",
    )


def option(answer: str, choices: Sequence[str]) -> tuple[str, str]:
    """The letter that ``answer`` names ("" when none) and the rule that found it."""
    if len(answer) == 1 and "A" <= answer <= "Z" and ord(answer) - 65 < (len(choices) or 26):
        return answer, "letter"
    plain = unwrap_text(tidy(answer)).strip(" .*$\"'")
    letters = {_words(text): chr(ord("A") + i) for i, text in enumerate(choices)}
    by_text = letters.get(_words(plain), "")
    match = _LETTER.fullmatch(plain)
    if match is None:
        return by_text, "option text" if by_text else "no option"
    letter, rest = match[1].upper(), _words(match[2] or match[3] or "")
    if choices and ord(letter) - ord("A") >= len(choices):
        return by_text, "option text" if by_text else "no such option"
    marked = plain[:1] in "([" or plain[1:2] == ")"
    if match[3] is not None and rest not in letters and not marked:
        return by_text, "option text" if by_text else "no option"
    if rest and letters.get(rest, letter) != letter:
        return "", "letter and text disagree"
    return letter, "letter"


def _leading_letter(reference: str) -> str:
    """The letter of a reference like ``C Cecile``, which names an option that is not given."""
    found = re.match(r"\s*([A-Z])\s+[A-Z]", reference)
    return found[1] if found else ""


def _words(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())
