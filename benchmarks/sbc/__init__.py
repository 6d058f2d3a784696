"""Simulation-based calibration of every law, by every way of fitting."""

from benchmarks.sbc.cells import Cell, around, design, ends, seed

__all__ = ["Cell", "around", "design", "ends", "seed"]
