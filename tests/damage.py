"""Damage to files, as disks, networks and people do it."""

from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["damaged"]


def _flipped(content: bytearray, rng: np.random.Generator) -> None:
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)


def _overwritten(content: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(content)))
    content[start : start + 64] = rng.bytes(len(content[start : start + 64]))


def _blanked(content: bytearray, rng: np.random.Generator) -> None:
    """A block that was never written."""
    start = int(rng.integers(len(content))) // 4096 * 4096
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content))) :]


def _taken_out(content: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(content)))
    del content[start : start + int(rng.integers(1, 5000))]


def _put_in(content: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(content)))
    content[start:start] = rng.bytes(int(rng.integers(1, 5000)))


def _swapped(content: bytearray, rng: np.random.Generator) -> None:
    one, other = sorted(int(at) for at in rng.integers(len(content) // 512, size=2) * 512)
    first, second = content[one : one + 512], content[other : other + 512]
    content[other : other + len(second)] = first[: len(second)]
    content[one : one + len(first)] = second.ljust(len(first), b"\0")


def _lengthened(content: bytearray, rng: np.random.Generator) -> None:
    content += rng.bytes(int(rng.integers(1, 5000)))


def _as_text(content: bytearray, rng: np.random.Generator) -> None:
    """Sent as a text, with the ends of its lines changed."""
    content[:] = content.replace(b"\n", b"\r\n")


KINDS: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    _flipped, _overwritten, _blanked, _cut, _taken_out, _put_in, _swapped, _lengthened, _as_text,
)  # fmt: skip


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Copies of a file's content, each damaged otherwise, and by what."""
    for number in range(count):
        kind, copy = KINDS[number % len(KINDS)], bytearray(content)
        kind(copy, np.random.default_rng([seed, number]))
        if copy != content:  # zeros, for instance, where zeros were
            yield kind.__name__.strip("_"), bytes(copy)
