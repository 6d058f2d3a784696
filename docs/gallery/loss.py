import os

import scalingfit as sf
from matplotlib import pyplot as plt
from scalingfit.report import plots

post = sf.load(os.environ["SCALINGFIT_DOCS_FIT"])  # the fit of the tutorial
plots.loss(post, figure=plt.figure(figsize=(8, 5), layout="constrained"))
