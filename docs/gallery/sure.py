import numpy as np
from matplotlib import pyplot as plt

import scalingfit as sf

post = sf.load("fit.nc")
times = np.geomspace(0.1, 100, 25)  # the largest run
C = times * post.runs["C"].max()
best = post.frontier(C)
N = np.median(best.N, axis=(0, 1))
lost = 100 * (post.forecast(N=N, D=C / (6 * N)).mean / best.L - 1)

figure, panels = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for axes, draws in zip(panels, (best.N / N, lost), strict=True):
    low, lower, middle, upper, high = np.quantile(draws, [0.05, 0.25, 0.5, 0.75, 0.95], axis=(0, 1))
    axes.fill_between(times, low, high, color="C0", alpha=0.16, lw=0, label="90 % of the draws")
    axes.fill_between(times, lower, upper, color="C0", alpha=0.3, lw=0, label="50 %")
    axes.plot(times, middle, color="C0", label="median")
    axes.axvline(1, color="0.5", ls=":")
    axes.set(xscale="log", xlabel="budget, in times the largest run")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
panels[0].set(title="How sure is the best size?", ylabel="best size, over its median")
panels[0].set(yscale="log", ylim=(0.2, 5))
panels[0].set_yticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
panels[0].minorticks_off()
panels[1].set(title="What does it cost to train the median?", ylabel="loss above the best [%]")
panels[1].set_ylim(0, None)
panels[1].legend(loc="upper left", frameon=False)
