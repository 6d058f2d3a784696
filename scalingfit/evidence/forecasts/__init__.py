"""Would it have predicted: larger runs forecast from smaller ones, and scores of the forecasts."""

from scalingfit.evidence.forecasts.backtest import backtest
from scalingfit.evidence.forecasts.forecasting import Task, forecast_held_out
from scalingfit.evidence.forecasts.horizons import Horizon, horizons, moved, several_runs
from scalingfit.evidence.forecasts.result import Backtest
from scalingfit.evidence.forecasts.scored import NINETY, ScoredForecasts
from scalingfit.evidence.forecasts.scores import LEVELS, band, coverage

__all__ = [
    "LEVELS",
    "NINETY",
    "Backtest",
    "Horizon",
    "ScoredForecasts",
    "Task",
    "backtest",
    "band",
    "coverage",
    "forecast_held_out",
    "horizons",
    "moved",
    "several_runs",
]
