"""Most runs scatter little, a few scatter widely: and which ones."""

from __future__ import annotations

import math
from typing import ClassVar, override

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import Distribution

from scalingfit._arrays import Number
from scalingfit.declare import parameter
from scalingfit.noise._base import At, Noise, scatter

__all__ = ["OutlierMixture"]


class OutlierMixture(Noise):
    """Normal scatter on log loss, wider for a few runs: it names the outliers.

    Box & Tiao 1968, Biometrika 55, 119. `outlier_probability` says which they are, so that nothing
    need be dropped by hand.
    """

    name: ClassVar[str] = "outlier_mixture"
    sigma: Array = scatter("the scatter of most runs")
    outlier_share: Array = parameter(
        # Beta(1, 9), which NumPyro would look for devices to make.
        dist.Kumaraswamy(1.0, 9.0),
        "share of runs that are outliers: a tenth on average, most likely none",
    )
    outlier_scale: Array = parameter(
        dist.LogNormal(math.log(8.0), 0.5),
        "how many times as widely they scatter: 90 % of the prior from 3.5 to 18",
    )

    @override
    def about(self, centre: Number, scale: Number, variance: Number | None) -> Distribution:
        share = self.outlier_share
        wide = scale * self.outlier_scale
        spreads = jnp.stack(jnp.broadcast_arrays(scale, wide), axis=-1)
        if variance is not None:
            spreads = jnp.sqrt(spreads**2 + jnp.asarray(variance)[..., None])
        shares = jnp.stack([1 - share, share], axis=-1)
        kinds = dist.Categorical(probs=shares, validate_args=False)
        each = dist.Normal(jnp.asarray(centre)[..., None], spreads, validate_args=False)
        return dist.MixtureSameFamily(kinds, each, validate_args=False)

    def outlier_probability(self, at: At, loss: Number) -> Array:
        """How probably each loss is an outlier's, given this model's parameters and the law's loss.

        Parameters
        ----------
        at : At
        loss : array, shape (..., run)
        """
        mixture = self.observe(at).base_dist
        log_shares = mixture.component_log_probs(jnp.log(loss))
        probability: Array = jax.nn.softmax(log_shares, axis=-1)[..., 1]
        return probability
