"""For people: pictures, and the report that is handed on."""

from scalingfit.report.html import report
from scalingfit.report.pictures import picture, plot

__all__ = ["echarts", "evidence_plots", "html", "picture", "pictures", "plot", "plots", "report"]
