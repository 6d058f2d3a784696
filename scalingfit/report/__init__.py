"""For people: pictures."""

__all__ = ["evidence_plots", "plots"]
