r"""Answers that are words: numbers, names, months, units, option letters, times of day.

Case, quotes, brackets around a single letter, and an article at the start do not count.
``\text{4 hours}`` is a number with a unit and not words. All spellings of a unit, also of a product
or a quotient of units, have one name.
"""

import re
from fractions import Fraction
from functools import lru_cache

from manyways.verifiers.answers.spelling import unwrap_text

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ADDED = {word: i for i, word in enumerate(_SMALL)} | {
    word: 10 * i for i, word in enumerate(_TENS, start=2)
}
SCALES = {
    "dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9,
    "trillion": 10**12, "quadrillion": 10**15, "lakh": 10**5, "lac": 10**5, "crore": 10**7,
    "k": 10**3, "mn": 10**6, "mln": 10**6, "bn": 10**9, "B": 10**9, "M": 10**6, "grand": 10**3,
    "тыс": 10**3, "тысяча": 10**3, "тысячи": 10**3, "тысяч": 10**3, "млн": 10**6, "млрд": 10**9,
    "миллион": 10**6, "миллиона": 10**6, "миллионов": 10**6, "миллиард": 10**9,
    "миллиарда": 10**9, "миллиардов": 10**9, "tausend": 10**3, "millionen": 10**6,
    "milliarde": 10**9, "milliarden": 10**9, "milliard": 10**9, "dutzend": 12, "mille": 10**3,
    "douzaine": 12, "mil": 10**3, "millón": 10**6, "millones": 10**6, "docena": 12,
    "milhão": 10**6, "milhões": 10**6, "mila": 10**3, "milione": 10**6, "milioni": 10**6,
    "十": 10, "百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8,
    "백": 10**2, "천": 10**3, "만": 10**4, "억": 10**8, "लाख": 10**5, "करोड़": 10**7,
}  # fmt: skip
"""Word after a numeral -> its factor. The word may also be in lower case or a plural."""
_GROWING = ("hundred", "thousand", "million", "billion", "trillion", "lakh", "crore")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18,
    "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50,
    "sixtieth": 60, "seventieth": 70, "eightieth": 80, "ninetieth": 90, "hundredth": 100,
}  # fmt: skip
_PARTS = {word: number for word, number in _ORDINALS.items() if number > 2} | {
    "half": 2, "halve": 2, "quarter": 4,
}  # fmt: skip
_IDEOGRAPHS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_SPOKEN = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_MAX_WORDS = 12


def scale_of(word: str) -> Fraction | int | None:
    """The factor of a scale word after a numeral, None for another word."""
    bare = word.rstrip(".")
    part = bare.lower()
    for spelling in (bare, part, part.removesuffix("s")):
        if spelling in SCALES:
            return SCALES[spelling]
    several = part.endswith("s") and part not in ("quarters", "seconds")  # coins and times
    return Fraction(1, _PARTS[part[:-1]]) if several and part[:-1] in _PARTS else None


def number_word(text: str) -> str | None:
    """The digits of a number in words, None for other texts.

    ``forty-two``, ``a hundred``, ``2.5 million``, ``negative five``, ``three quarters``,
    ``two and a half``, ``twenty-first``, ``四十二``.
    """
    if len(text) > 150:
        return None
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > _MAX_WORDS or words[-1] == "and":
        return None
    if words[0] in ("negative", "minus"):
        value = _read(words[1:])
        return None if value is None else str(-value)
    value = _read(words)
    return None if value is None else str(value)


def _read(words: list[str]) -> Fraction | int | None:
    if len(words) == 1:
        return _ideographs(words[0]) if not words[0].isascii() else _single(words[0])
    if len(words) == 2 and _SPOKEN.fullmatch(words[0]):
        scale = scale_of(words[1]) if words[1] not in _PARTS else None
        return None if scale is None else _whole(Fraction(words[0]) * scale)
    if words[0] in ("a", "an"):
        words = ["one", *words[1:]]
    for place in range(1, len(words)):  # two and a half, three quarters
        part = _part(words[place:])
        if part is not None:
            whole = _sum([w for w in words[:place] if w != "and"])
            return None if whole is None or words[place - 1] != "and" else whole + part
    part = _part(words)
    return part if part is not None else _ordinal(words)


def _single(word: str) -> Fraction | int | None:
    if word == "half":
        return Fraction(1, 2)
    return _ORDINALS[word] if word in _ORDINALS and word != "second" else _sum([word])


def _ordinal(words: list[str]) -> int | None:
    last = words[-1]
    if last in _ORDINALS and _ORDINALS[last] < 10 and words[-2] in _TENS:
        before = _sum(words[:-1])
        return None if before is None else before + _ORDINALS[last]
    return _sum(words)


def _part(words: list[str]) -> Fraction | None:
    """``one half``, ``three fourths``, ``a third``: a number in words and the name of a part."""
    below = _PARTS.get(words[-1]) or _PARTS.get(words[-1].removesuffix("s"))
    if below is None or len(words) < 2:
        return None
    above = ["one"] if words[:-1] == ["a"] else words[:-1]
    if above[-1] in _TENS and below < 10 and not words[-1].endswith("s"):
        return None  # twenty third is an ordinal
    value = _sum(above)
    return None if not value else Fraction(value, below)


def _whole(value: Fraction) -> Fraction | int:
    return value.numerator if value.denominator == 1 else value


def _ideographs(word: str) -> int | None:
    """``四十二``, ``三百零五``, ``两万``."""
    total, part, digit = 0, 0, 0
    if len(word) > 20 or not all(c in _IDEOGRAPHS or c in "十百千万萬亿億" for c in word):
        return None
    if all(c in _IDEOGRAPHS for c in word):
        return int("".join(str(_IDEOGRAPHS[c]) for c in word))
    for c in word:
        if c in _IDEOGRAPHS:
            digit = _IDEOGRAPHS[c]
        elif c in "十百千":
            part, digit = part + (digit or 1) * int(SCALES[c]), 0
        else:
            total, part, digit = (total + part + digit) * int(SCALES[c]), 0, 0
    return total + part + digit


def _sum(words: list[str]) -> int | None:
    total, part, last = 0, 0, 10**15  # last: what the next word has to be smaller than
    for word in words:
        if word in _ADDED and _ADDED[word] < last:
            part += _ADDED[word]
            last = 10 if _ADDED[word] >= 20 else 0
        elif word == "hundred" and 0 < part < 10:
            part, last = part * 100, 100
        elif word == "dozen" and part:
            part, last = part * 12, 0
        elif word in _GROWING and part:
            total, part, last = total + part * int(SCALES[word]), 0, 1000
        elif word != "and" or not (part or total):
            return None
    return total + part


_NAMES = (
    "degree degrees deg °", "radian radians rad", "celsius centigrade degC", "fahrenheit degF",
    "inch inches in", "foot feet ft", "yard yards yd yds", "mile miles mi",
    "meter meters metre metres m 米 метров метра метр", "second seconds sec secs s 秒",
    "minute minutes min mins 分钟", "hour hours hr hrs h 小时", "day days 天", "week weeks wk wks",
    "month months", "year years yr yrs 年",
    "gram grams g 克", "pound pounds lb lbs", "ounce ounces oz", "ton tons tonne tonnes t",
    "liter liters litre litres L l ℓ", "gallon gallons gal", "cup cups", "pint pints",
    "quart quarts", "acre acres", "hectare hectares ha", "mph", "kph kmh",
    "dollar dollars usd USD US$ $ buck bucks", "cent cents ¢ ₵", "euro euros EUR €",
    "pound-sterling GBP £ quid", "yen JPY ¥", "yuan RMB CNY 元 块 人民币", "won KRW ₩",
    "rupee rupees Rs INR ₹ रुपये", "rouble ruble rubles roubles RUB ₽ рублей рубля рубль руб",
    "franc francs CHF", "peso pesos", "penny pennies pence p",
    "joule joules J", "watt watts W", "newton newtons N", "kelvin kelvins K", "volt volts V",
    "ampere amperes amp amps A", "hertz Hz", "pascal pascals Pa", "ohm ohms Ω \\Omega",
    "coulomb coulombs C", "farad farads F", "tesla", "mole moles mol", "calorie calories cal",
    "electronvolt eV", "byte bytes", "bit bits", "bar bars", "atm", "dyne dynes dyn", "erg ergs",
    "parsec parsecs pc", "lightyear lightyears ly", "angstrom angstroms Å \\AA", "knot knots",
    "unit units", "bpm", "ppm", "rpm", "mpg", "psi", "dB", "kWh kwh", "Wh", "GB gb", "MB mb", "KB",
    "percent percentage pct",
    "centimeter 厘米", "millimeter 毫米", "kilometer 千米 公里",
    "kilogram 公斤 千克", "milliliter 毫升", "liter 升", "meter2 平方米", "meter3 立方米",
    "centimeter2 平方厘米", "centimeter3 立方厘米", "kilometer2 平方千米 平方公里", "degree 度",
    "jiao 角", "ton 吨", "month 月", "week 周", "yen 円", "won 원", "kilogram кг", "kilometer км",
    "centimeter см", "meter м", "gram г",
)  # fmt: skip
_PREFIXES = {
    "k": "kilo", "c": "centi", "d": "deci", "m": "milli", "μ": "micro", "u": "micro",
    "n": "nano", "p": "pico", "M": "mega", "G": "giga", "T": "tera",
}  # fmt: skip
_PREFIXED = (
    "m meter", "g gram", "s second", "L liter", "l liter", "J joule", "W watt", "N newton",
    "V volt", "Hz hertz", "Pa pascal", "A ampere", "mol mole", "eV electronvolt", "cal calorie",
    "Ω ohm", "\\Omega ohm", "B byte", "pc parsec", "T tesla", "F farad", "C coulomb", "K kelvin",
)  # fmt: skip


def _table() -> dict[str, str]:
    table = {spelling: names.split()[0] for names in _NAMES for spelling in names.split()}
    long = {name for name in table if len(name) > 3 and name.isascii() and name.isalpha()}
    for letter, prefix in _PREFIXES.items():
        for pair in _PREFIXED:
            short, base = pair.split()
            table.setdefault(letter + short, prefix + base)
        for name in long:
            table[prefix + name] = prefix + table[name]
    del table["pm"]  # an hour of the day
    lower: dict[str, str] = {}
    for spelling, name in table.items():
        lower.setdefault(spelling.lower(), name)
    return {**{s: n for s, n in lower.items() if len(s) > 1}, **table}


UNITS = _table()
"""Spelling of a unit -> its one name, prefix included (``kJ`` is kilojoule)."""
POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
AMBIGUOUS = frozenset("mshgLlJWNKVAptCF")
"""These are names of variables or words, too. They are units only after a numeral of an answer."""
_TEMPERATURES = tuple(
    (re.compile(rf"(?:°|(?<![a-zA-Z])deg(?:ree)?s?(?![a-zA-Z]))\s*{name}(?![a-zA-Z])"), scale)
    for name, scale in (
        ("(?:C|[Cc]elsius|centigrade)", "celsius"), ("(?:F|[Ff]ahrenheit)", "fahrenheit"),
        ("(?:K|[Kk]elvin)", "kelvin"),
    )
)  # fmt: skip
_UNIT_TOKEN = re.compile(
    r"\s*(?:(\\(?:Omega|AA|mu)|[^\W\d_]+|[°¢$€£¥Ω])\.?|(\^\s*(?:\{\s*-?[0-9]\s*\}|-?[0-9])|[²³])"
    r"|(/|\bper\b)|(\\cdot|\*|·|-(?=[a-zA-Z])|[\s()\[\],]))"
)


@lru_cache(maxsize=4096)
def unit_name(text: str, *, sure: bool) -> str | None:
    """The one name of the unit ``text``; "" for an empty text; None when it is no unit."""
    text = text.strip(" .;,!")
    for pattern, scale in _TEMPERATURES:
        text = pattern.sub(scale, text)
    read = _UnitReader(letters=not sure or "/" in text)
    place = 0
    while place < len(text):
        token = _UNIT_TOKEN.match(text, place)
        if token is None or not read.take(token[1], token[2], token[3]):
            return None
        place = token.end()
    return read.name()


class _UnitReader:
    """Reads the factors of a unit one by one: ``kg``, ``m``, ``^2``, ``/``, ``s``.

    letters: whether a single letter counts as a unit.
    """

    def __init__(self, *, letters: bool) -> None:
        self.letters = letters
        self.powers: dict[str, int] = {}
        self.last, self.sign, self.raised = "", 1, 1

    def take(self, word: str | None, power: str | None, over: str | None) -> bool:
        """Read one token. False when it cannot belong to a unit."""
        if over or word == "per":
            self.sign = -1
        elif power:
            return self._raise({"²": 2, "³": 3}.get(power) or int(re.sub(r"[\s^{}]", "", power)))
        elif word and word.lower() in POWERS:
            if word.lower().endswith("ed"):
                return self._raise(POWERS[word.lower()])
            self.raised = POWERS[word.lower()]
        elif word:
            return self._factor(word)
        return True

    def name(self) -> str | None:
        """The unit's one name, the same for every order of its factors."""
        if self.raised != 1:
            return None
        factors = sorted(self.powers.items())
        return " ".join(f"{name}{power if power != 1 else ''}" for name, power in factors)

    def _raise(self, power: int) -> bool:
        if self.last:
            self.powers[self.last] *= power
        return bool(self.last)

    def _factor(self, word: str) -> bool:
        name = UNITS.get(word) or UNITS.get(word.lower() if len(word) > 2 else "")
        lone = word in AMBIGUOUS and not self.powers and not self.letters
        if name is None or lone or len(self.powers) > 4:
            return False
        self.powers[name] = self.powers.get(name, 0) + self.sign * self.raised
        self.last, self.raised = name, 1
        return True


_TEXT = re.compile(r"\(?\\(?:text|textbf|textrm|mbox|mathrm|textit|textnormal|mathbf)\{")
_NUMERAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|-?\\frac\{[0-9]+\}\{[0-9]+\}")
_WORD = re.compile(r"[a-zA-Z]{3,}")
_NOT_PROSE = re.compile(r"[=^_+*/\\<>{}|&]|[0-9][a-zA-Z]")
_TIME = re.compile(r"([0-9]{1,2})\s*:\s*([0-9]{2})(?:\s*:\s*([0-9]{2}))?\s*([ap])?\.?\s*(?:m\.?)?")
_HOUR = re.compile(r"([0-9]{1,2})()()\s*([ap])\.?\s*m\.?")
_ARTICLE = re.compile(r"(?:(?:on|in|at|by|to|from|towards)\s+)?(?:(?:an?|the)\s+)?(?=.)")
_SPOKEN_HALF = (
    (re.compile(r"\s*(?:in\s+the\s+(?:afternoon|evening)|at\s+night)"), " pm"),
    (re.compile(r"\s*in\s+the\s+morning"), " am"),
    (re.compile(r"\s*o'?\s*clock"), ":00"),
    (re.compile(r"^(?:12\s*)?(?:noon|midday)$"), "12:00 pm"),
    (re.compile(r"^(?:12\s*)?midnight$"), "12:00 am"),
)
_MONTHS = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th)?"
_DATES = (
    re.compile(rf"{_MONTH}\s+(?:the\s+)?{_DAY}(?:,?\s+([0-9]{{4}}))?"),
    re.compile(rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+([0-9]{{4}}))?"),
)
_SAID = re.compile(
    r"(?<![\w])(?:is|it's|that's|are|was|were|be|so|therefore|hence|thus|choose|chose|answer|option|choice)(?![\w])\s*:?,?\s+",
    re.I,
)
_DENIED = re.compile(r"(?<![\w])(?:not|never|no|neither|nor|or|cannot)(?![\w])|n't", re.I)
_PUNCTUATION = re.compile(r"[^\w\s:.]|(?<![0-9])\.|\.(?![0-9])")
_OPTION = re.compile(r"[A-E]")
_OPTION_AND_TEXT = re.compile(r"\(([A-Z])\)\s*\S|([A-Z])[.):]\s+\S")
_LETTER = re.compile(r"\(?\s*([A-Za-z])\s*\)?\.?")


def same_words(gold: str, answer: str) -> bool | None:
    """Whether they are the same words, None when the reference is not words."""
    if _OPTION.fullmatch(gold) and gold.lower() in (
        answer.lower(), _lettered(answer), plain(_end_of_sentence(answer))
    ):  # fmt: skip
        return True
    times = _time(gold), _time(answer)
    lone = _HOUR.fullmatch(gold.lower())  # 2pm may be a product
    if times[0] and (times[1] or not lone) and (times[1] or times[0][1] == "00" or times[0][3]):
        return times[1] is not None and _same_time(times[0], times[1])
    number = number_word(unwrap_text(gold)) or number_word(unwrap_text(answer))
    if number is not None:
        both = {number_word(unwrap_text(text)) or text.strip() for text in (gold, answer)}
        return True if len(both) == 1 else None
    if not is_words(gold):
        return False if _NUMERAL.fullmatch(gold) and is_words(answer) else None
    return _same_prose(gold, answer)


def _same_prose(gold: str, answer: str) -> bool | None:
    dates = _date(gold), _date(answer)
    if dates[0] and dates[1]:
        return dates[0] == dates[1]
    left, right = plain(gold), plain(answer)
    said = left and left == plain(_end_of_sentence(answer))
    if said or left == right or left == _lettered(answer) or right == _lettered(gold):
        return True
    return False if is_words(answer) or len(left) > 1 else None


def is_words(text: str) -> bool:
    """Whether a tidied answer is prose and not mathematics."""
    bare = unwrap_text(text).strip()
    if _NOT_PROSE.search(bare):
        return False
    if _TEXT.match(text):
        return not bare[:1].isdigit()
    words = (word.lower() for word in _WORD.findall(bare))
    return any(word not in UNITS and word not in ("and", "or") for word in words)


def plain(text: str) -> str:
    """The words in lower case, without punctuation and article."""
    text = unwrap_text(text).strip()
    letter = _LETTER.fullmatch(text)
    if letter:
        return letter[1].lower()
    text = " ".join(_PUNCTUATION.sub(" ", text.casefold()).split())
    return _ARTICLE.sub("", text, count=1)


def _end_of_sentence(text: str) -> str:
    """``a Saturday`` for ``It is a Saturday``; "" if it is negated or leaves a choice."""
    said = list(_SAID.finditer(unwrap_text(text)[:300]))
    rest = unwrap_text(text)[said[-1].end() :] if said else ""
    return "" if _DENIED.search(rest) else rest


def _date(text: str) -> tuple[int, str, str] | None:
    """(month, day, year) for ``March 5``, ``5 March``, ``the 5th of March``."""
    text = unwrap_text(text).lower().strip(" .")
    for place, pattern in enumerate(_DATES):
        found = pattern.fullmatch(text) if any(map(str.isdigit, text)) else None
        if found:
            month, day = (found[1], found[2]) if place == 0 else (found[2], found[1])
            return _MONTHS.index(month), day.lstrip("0"), found[3] or ""
    return None


def _lettered(text: str) -> str:
    """The letter of ``(D) Alina`` or ``D. Alina``, "" for other texts."""
    found = _OPTION_AND_TEXT.match(unwrap_text(text).strip())
    return (found[1] or found[2]).lower() if found else ""


def _time(text: str) -> tuple[str, ...] | None:
    text = " ".join(unwrap_text(text).replace("\\", " ").lower().split())
    for pattern, half in _SPOKEN_HALF:
        text = pattern.sub(half, text)
    found = _TIME.fullmatch(text) or _HOUR.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, half = found.groups()
    number = int(hour)
    if half is None and (number == 0 or 12 < number < 24):  # of the 24-hour clock
        number, half = (number - 12, "p") if number else (12, "a")
    return (str(number), minute or "00", second or "00", half or "")


def _same_time(gold: tuple[str, ...], answer: tuple[str, ...]) -> bool | None:
    """Whether two times are equal. Without a.m. or p.m. one matches both; 1:24 may be a ratio."""
    if gold[:3] == answer[:3] and (gold[3] == answer[3] or not (gold[3] and answer[3])):
        return True
    return False if gold[3] or answer[3] or "00" in (gold[1], answer[1]) else None
