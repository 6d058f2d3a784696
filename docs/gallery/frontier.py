from matplotlib import pyplot as plt

import scalingfit as sf
from scalingfit.report import plots

post = sf.load("fit.nc")
plots.frontier(post, figure=plt.figure(figsize=(8, 5), layout="constrained"))
