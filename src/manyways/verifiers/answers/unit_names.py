"""The names of units: any spelling of one, of a product or a quotient of them, has one name."""

import re
from functools import lru_cache

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
"""Also names of variables or words: units only behind a numeral of an answer."""
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
    """The one name of the unit that ``text`` is; "" for no text; None when it is none."""
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
    """Factors of a unit, one after the other: ``kg``, ``m``, ``^2``, ``/``, ``s``.

    letters: whether a lone letter is taken for a unit.
    """

    def __init__(self, *, letters: bool) -> None:
        self.letters = letters
        self.powers: dict[str, int] = {}
        self.last, self.sign, self.raised = "", 1, 1

    def take(self, word: str | None, power: str | None, over: str | None) -> bool:
        """Read one token; False when it belongs to no unit."""
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
        """The unit's one name, whatever the order of its factors."""
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
