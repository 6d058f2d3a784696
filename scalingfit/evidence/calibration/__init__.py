"""Is the machine right: simulation-based calibration."""

from scalingfit.evidence.calibration.calibrate import calibrate
from scalingfit.evidence.calibration.result import Calibration

__all__ = ["Calibration", "calibrate"]
