"""Which column, or formula of columns, is which symbol, and in which unit."""

from scalingfit.runs.columns.formulas import COMPARISONS, Condition, parse_condition, parse_formula
from scalingfit.runs.columns.names import (
    FURTHER,
    RUN_NAMES,
    SPELLINGS,
    header_unit,
    measures,
    normal,
    quoted,
    symbol_of,
)
from scalingfit.runs.columns.symbols import (
    SYMBOLS,
    Column,
    ColumnSpec,
    choose_columns,
    closest,
    column,
    not_found,
)
from scalingfit.runs.columns.units import other_unit, require_units

__all__ = [
    "COMPARISONS",
    "FURTHER",
    "RUN_NAMES",
    "SPELLINGS",
    "SYMBOLS",
    "Column",
    "ColumnSpec",
    "Condition",
    "choose_columns",
    "closest",
    "column",
    "header_unit",
    "measures",
    "normal",
    "not_found",
    "other_unit",
    "parse_condition",
    "parse_formula",
    "quoted",
    "require_units",
    "symbol_of",
]
