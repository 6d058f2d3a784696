"""A small byte-level transformer: parameters, loss, and an exact count of its arithmetic.

Decoder only, pre-norm (RMSNorm), rotary positions, SwiGLU, no biases, and the embedding tied to the
output head: at these sizes two tables of 256 rows would be most of the model.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

VOCABULARY = 256
Params = dict[str, jax.Array]


@dataclass(frozen=True)
class Shape:
    """One rung of the ladder. `context` is the number of bytes predicted per sequence."""

    width: int
    depth: int
    context: int = 64

    @property
    def heads(self) -> int:
        """Heads of 16 dimensions; one head where the model is narrower than that."""
        return max(1, self.width // 16)

    @property
    def hidden(self) -> int:
        """Width of the SwiGLU: 8/3 of the model's, which makes its three matrices cost 8 d^2."""
        return 4 * round(self.width * 2 / 3)

    @property
    def params_non_embedding(self) -> int:
        """Weights outside the table of bytes: matrices and norms."""
        attention = 4 * self.width**2
        mlp = 3 * self.width * self.hidden
        return self.depth * (attention + mlp + 2 * self.width) + self.width

    @property
    def params(self) -> int:
        """All weights; the tied table counts once."""
        return self.params_non_embedding + VOCABULARY * self.width

    @property
    def flops_per_token(self) -> int:
        """Multiply-adds times two, of all matrix products, forward and backward (3x forward).

        Attention counts the full square that is computed, not the causal half; looking a byte up
        costs nothing.
        """
        attention = 4 * self.width**2 + 2 * self.context * self.width
        mlp = 3 * self.width * self.hidden
        return 3 * 2 * (self.depth * (attention + mlp) + VOCABULARY * self.width)


def init(shape: Shape, key: jax.Array) -> Params:
    """Draw weights: variance 1/fan-in, and the branches' last matrices damped by 1/sqrt(2 depth).

    The layers of one kind are stacked along the first axis.
    """
    d, f, depth = shape.width, shape.hidden, shape.depth
    keys = iter(jax.random.split(key, 5))
    damp = (2 * depth) ** -0.5

    def normal(*size: int, scale: float = 1.0) -> jax.Array:
        weights: jax.Array = scale * size[-2] ** -0.5 * jax.random.normal(next(keys), size)
        return weights

    return {
        "table": d**-0.5 * jax.random.normal(next(keys), (VOCABULARY, d)),
        "qkv": normal(depth, d, 3 * d),
        "out": normal(depth, d, d, scale=damp),
        "up": normal(depth, d, 2 * f),
        "down": normal(depth, f, d, scale=damp),
        "norm_attention": jnp.ones((depth, d)),
        "norm_mlp": jnp.ones((depth, d)),
        "norm_final": jnp.ones(d),
    }


def losses(shape: Shape, params: Params, windows: jax.Array) -> jax.Array:
    """Cross-entropy of each sequence, mean over its bytes.

    Parameters
    ----------
    windows : (sequence, context + 1) array of uint8
        Every byte but the first is predicted from those before it.

    Returns
    -------
    (sequence,) array, nats per byte.
    """
    windows = windows.astype(jnp.int32)
    scores = logits(shape, params, windows[:, :-1])
    target = jnp.take_along_axis(scores, windows[:, 1:, None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - target, axis=-1)


def logits(shape: Shape, params: Params, inputs: jax.Array) -> jax.Array:
    """Scores of the byte after each of `inputs`: (sequence, byte) -> (sequence, byte, 256)."""
    x = params["table"][inputs] * shape.width**0.5
    for layer in range(shape.depth):
        x = x + _attention(shape, params, layer, x)
        x = x + _mlp(params, layer, x)
    scores: jax.Array = _norm(x, params["norm_final"]) @ params["table"].T
    return scores


def _attention(shape: Shape, params: Params, layer: int, x: jax.Array) -> jax.Array:
    sequences, length, d = x.shape
    qkv = _norm(x, params["norm_attention"][layer]) @ params["qkv"][layer]
    q, k, v = qkv.reshape(sequences, length, 3, shape.heads, d // shape.heads).transpose(
        2, 0, 3, 1, 4
    )
    scores = _rotate(q) @ _rotate(k).swapaxes(-1, -2) * (d // shape.heads) ** -0.5
    causal = np.tril(np.ones((length, length), bool))
    weights = jax.nn.softmax(jnp.where(causal, scores, -1e30), axis=-1)
    mixed = (weights @ v).swapaxes(1, 2).reshape(sequences, length, d)
    return mixed @ params["out"][layer]


def _mlp(params: Params, layer: int, x: jax.Array) -> jax.Array:
    gate, value = jnp.split(_norm(x, params["norm_mlp"][layer]) @ params["up"][layer], 2, axis=-1)
    return (jax.nn.silu(gate) * value) @ params["down"][layer]


def _norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6) * scale


def _rotate(x: jax.Array) -> jax.Array:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864), angles theta_i = 10000^(-2 i / dim)."""
    length, dim = x.shape[-2:]
    angles = np.arange(length)[:, None] * 10000.0 ** (-np.arange(0, dim, 2) / dim)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
