"""Sums over runs have the derivatives that they would have by themselves."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalingfit.inference.over_runs import sum_over_places


def density(shared: dict[str, Array], own: Array, run: Array) -> Array:
    return jnp.sin(shared["a"] * own) + shared["b"] ** 2 * own * run


def test_a_sum_over_places_is_differentiated_by_all_but_the_runs() -> None:
    rng = np.random.default_rng(0)
    own, runs, weight = rng.normal(size=(3, 9))
    with jax.enable_x64(True):
        shared = {"a": jnp.asarray(0.7), "b": jnp.asarray(-1.3)}

        def plain(shared: dict[str, Array], own: Array) -> Array:
            each = jax.vmap(density, (None, 0, 0))(shared, own, jnp.asarray(runs))
            return jnp.sum(jnp.asarray(weight) * each)

        def ours(shared: dict[str, Array], own: Array) -> Array:
            return sum_over_places(density, shared, own, jnp.asarray(runs), jnp.asarray(weight))

        given = shared, jnp.asarray(own)
        for derive in (
            lambda f: f,
            lambda f: jax.grad(f, (0, 1)),
            lambda f: jax.hessian(f, (0, 1)),
        ):
            found, expected = (jax.tree.leaves(derive(f)(*given)) for f in (ours, plain))
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
