from matplotlib import pyplot as plt

import scalingfit as sf

post = sf.load("fit.nc")
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
post.frontier([1e12, 3e12, 1e13, 3e13]).plot(left, y="L")
post.forecast(N=[1e5, 2e5, 4e5], D=1e7).plot(right)
