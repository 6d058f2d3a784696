#!/usr/bin/env bash
# Build the sdist and the wheel, and use the wheel as a stranger would: in a bare environment, away
# from the checkout, with everything that it needs installed for it. Leaves both in dist/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$PWD/.venv/bin/python
constraints=$PWD/constraints.txt

rm -rf dist build
"$python" -m build --quiet --outdir dist .
"$python" - <<'PYTHON'
import re
import tomllib
from pathlib import Path

import scalingfit

version = scalingfit.__version__
cited = re.search(r"^version: (.*)$", Path("CITATION.cff").read_text("utf-8"), re.MULTILINE)
assert cited and cited[1] == version, "CITATION.cff names another version"
assert f"## {version}" in Path("CHANGELOG.md").read_text("utf-8"), "the changelog lacks it"
assert len(list(Path("dist").glob(f"scalingfit-{version}*"))) == 2, "not an sdist and a wheel"
PYTHON

bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
"$python" -m venv "$bare/environment"
"$bare/environment/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint "$constraints" dist/*.whl
cd "$bare"
export PATH="$bare/environment/bin:$PATH"
scalingfit --version
scalingfit laws chinchilla
scalingfit demo -q || [ $? -eq 1 ]  # 1 is an answer that comes with a warning
echo "scalingfit $(scalingfit --version) is ready in dist/"
