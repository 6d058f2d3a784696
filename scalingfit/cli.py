"""The command line: the same verbs as the library."""

from cyclopts import App

from scalingfit import __version__

app = App(
    name="scalingfit",
    help="Bayesian fits of neural scaling laws.",
    version=__version__,
)


def main() -> int:
    """Run the command that the arguments ask for; return the exit code."""
    app()
    return 0
