"""Scaling laws, one file each; installed as ``scalingfit.models``."""

if __name__ != "scalingfit.models":
    raise ImportError(
        f"the laws belong to scalingfit and cannot be imported as {__name__!r}: "
        "write `import scalingfit.models`"
    )
