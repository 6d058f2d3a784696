from matplotlib import pyplot as plt

import scalingfit as sf
from scalingfit.report import plots

post = sf.load("fit.nc")
figure = plt.figure(figsize=(8, 5.5), layout="constrained")
plots.valley(post, 1e13, ["100K", "20tpp"], figure=figure)
