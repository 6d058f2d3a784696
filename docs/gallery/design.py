from matplotlib import pyplot as plt

import scalingfit as sf
from scalingfit.report import plots

runs = sf.datasets.read("ladder")
plots.design(runs, figure=plt.figure(figsize=(8, 5), layout="constrained"))
