import arviz

import scalingfit as sf

post = sf.load("fit.nc")
arviz.plot_trace_dist(post.to_arviz(), var_names=["alpha", "beta", "tau"])
