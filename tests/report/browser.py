"""A page in a real browser: Chromium without a window, where there is one."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def answers(page: Path, script: str) -> Any:
    """What the page gives, as JSON, to an asynchronous function that is put at its end.

    Errors of the page's own scripts fail the test.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium: install your system's package of that name")
    asking = page.with_name(f"{page.stem}.asked.html")
    failing = "<script>const failures = []; onerror = (said) => failures.push(said);</script>"
    ending = (
        f"<script>(async () => {{ {script} }})().catch((error) => failures.push(String(error)))"
        ".then((found) => { const said = document.createElement('pre'); said.id = 'said';"
        "said.textContent = JSON.stringify({found, failures}); document.body.append(said); });"
        "</script></body>"
    )
    whole = page.read_text("utf-8").replace("<body>", f"<body>{failing}")
    asking.write_text(ending.join(whole.rsplit("</body>", 1)), "utf-8")
    done = subprocess.run(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={page.with_name('browser')}", "--virtual-time-budget=1000000",
            "--dump-dom", asking.as_uri(),
        ],
        capture_output=True, text=True, timeout=280, check=True,
    )  # fmt: skip
    (said,) = re.findall(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    found = json.loads(html.unescape(said))
    assert found["failures"] == []
    return found["found"]
