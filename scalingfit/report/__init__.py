"""For people: pictures and tables."""

__all__ = ["evidence_plots", "plots", "tables"]
