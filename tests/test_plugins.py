"""Names from tables: looked up without importing what is behind them."""

import sys

import pytest

from manyways.errors import UserError
from manyways.plugins import check, resolve

TABLE = {"late": "manyways_is_not_imported_for_this:thing"}


def test_a_name_of_the_table_is_checked_without_importing_it() -> None:
    check("late", TABLE, "engine")
    assert "manyways_is_not_imported_for_this" not in sys.modules
    with pytest.raises(UserError, match="no module"):
        resolve("late", TABLE, "engine")


def test_other_names_are_resolved() -> None:
    check("json:loads", TABLE, "engine")
    with pytest.raises(UserError, match="Did you mean 'late'"):
        check("lat", TABLE, "engine")
