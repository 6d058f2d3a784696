"""The report is one whole page that says the answer and runs nothing of a table's own."""

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import scalingfit as sf
from scalingfit import cli
from scalingfit._errors import InputError
from scalingfit.report._page import rendered
from scalingfit.report._recorded import Recorded, recorded
from scalingfit.runs import Runs, read
from tests.report import standin
from tests.report.browser import answers

EVIL = "<script>document.title = 'run'</script>"
C = 1e24


class Page(HTMLParser):
    """Elements of a page, and its text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.within = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.within = tag

    def handle_data(self, data: str) -> None:
        if self.within not in {"script", "style"}:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def evil_runs() -> Runs:
    """A table whose columns and labels are scripts."""
    columns = standin.table().columns
    given = {EVIL: columns["N"], "tokens": columns["D"], "loss": columns["L"]}
    return read({**given, f"{EVIL}2": [EVIL] * len(columns["N"])}, N=EVIL)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    posterior = standin.posterior(runs=evil_runs())
    table = {"title": EVIL, "labels": 1, "headings": [EVIL, "N"], "rows": [[EVIL, "1 [0, 2]"]]}
    answer = {"schema": 1, "shown": [table]}
    answer |= {"conclusion": EVIL, "notes": [{"code": "x", "of": "", "share": None, "text": EVIL}]}
    (folder / "more.json").write_text(json.dumps(answer))
    posterior.report(
        folder / "report.html", C, posterior.forecast(N=1e9, D=1e11), folder / "more.json"
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def test_the_page_says_the_answer_in_three_sentences(page: Page) -> None:
    posterior = standin.posterior()
    found, decision = posterior.frontier(C), posterior.decide(C)
    text = re.sub(r"\s+", " ", page.text)
    N = found.tables[0].columns["N"].texts()[0]
    times = C / posterior.runs["C"].max()
    assert f"1e24 FLOP are best spent on {N} parameters" in text
    assert f"That is {times:.3g} times the compute of the largest run: an extrapolation." in text
    assert decision.conclusion in text
    assert posterior.verdict.conclusion in text


def test_what_belongs_to_a_fit_is_in_the_page(page: Page) -> None:
    text = page.text
    for name in standin.posterior().draws:
        assert name in text
    for title in (
        "What to train",
        "What being wrong costs",
        "The runs",
        "What was learnt",
        "Forecast",
    ):
        assert title in text
    # Frontier, loss, overspend, runs, parameters, residuals, and the forecast.
    assert len(page.all("img")) == 7
    assert '"numpyro"' in text  # provenance


def test_the_page_is_whole_and_small(path: Path, page: Page) -> None:
    assert path.stat().st_size < 3e6
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action"} and value is not None
    ]
    assert all(value.startswith("data:image/svg+xml;base64,") for value in addresses)
    assert not re.search(r"@import|url\((?!#)", path.read_text("utf-8"))


def test_the_page_can_be_read_aloud_and_used_by_keyboard(page: Page) -> None:
    labelled = {label["for"] for label in page.all("label")}
    for box in page.all("input"):
        assert box.get("aria-label") or box["id"] in labelled
        assert "tabindex" not in box
    assert all(picture["alt"] for picture in page.all("img"))
    assert all(drawing["aria-label"] for drawing in page.all("svg"))
    assert [element.get("aria-live") for _, element in page.elements].count("polite") == 2
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_names_of_a_table_are_text(path: Path, page: Page) -> None:
    assert page.text.count(EVIL) >= 4  # two columns; a cell, a note and a conclusion
    assert len(page.all("script")) == 2  # the draws, and the explorer
    assert EVIL not in path.read_text("utf-8")
    assert answers(path, "return document.title") == standin.posterior(runs=evil_runs()).title


def test_a_law_that_splits_nothing_has_a_page_without_budgets(tmp_path: Path) -> None:
    posterior = standin.posterior(law="kaplan_size", point="kaplan-2020-eq-1.1")
    posterior.report(tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.all("input") == []
    assert "What was learnt" in page.text
    with pytest.raises(InputError, match="splits no budget"):
        posterior.report(tmp_path / "report.html", C)


def test_a_page_without_explorer_says_why() -> None:
    posterior = standin.posterior()
    html = rendered(
        None, title="", verdict=posterior.verdict, answers=[], left_out="it <loops>", controls={},
        counting="", unit="", sections=[], provenance="",
    )  # fmt: skip
    page = Page(html.decode())
    assert "There is no explorer: it <loops>." in page.text
    assert page.all("script") == []


def test_a_budget_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name one or more: C=1e\+24"):
        standin.posterior().report(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_an_answer_is_read_back_as_it_was_printed(tmp_path: Path) -> None:
    found = standin.posterior().frontier([1e22, C])
    kept = tmp_path / "frontier.json"
    kept.write_text(json.dumps(found.as_json()))
    again = recorded(kept)
    assert isinstance(again, Recorded)
    assert [table.html() for table in again.tables] == [table.html() for table in found.tables]
    assert [str(note) for note in again.notes] == [str(note) for note in found.notes]
    assert again.conclusion == found.conclusion


def test_pictures_and_answers_of_one_name_stand_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    posterior = standin.posterior()
    posterior.save("fit.nc")
    asked = "forecast fit.nc --params 1B,10B --tokens 1T --plot"
    for name in ("sizes.svg", "others.png"):
        assert cli.run([*asked.split(), name]) == cli.OK
    Path("sizes.json").write_text(json.dumps(posterior.forecast(N=[1e9, 1e10], D=1e12).as_json()))
    assert (
        cli.run(["report", "fit.nc", "sizes.json", "others.png", "sizes.svg", "-C", "1e24"])
        == cli.OK
    )
    html = Path("report.html").read_text("utf-8")
    page = Page(html)
    assert [page.text.count(title) for title in ("Forecast of the loss", "sizes", "others")] == [
        1,
        2,
        2,
    ]
    kinds = [str(picture["src"]).partition(";")[0] for picture in page.all("img")]
    assert kinds[-2:] == ["data:image/svg+xml", "data:image/png"]
    _, after = html.split("<h2>sizes</h2>")
    assert after.index("Forecast of the loss") < after.index("<h2>others</h2>")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema": 1, "error": "no"}'])
def test_other_files_are_no_answers(content: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(InputError, match="holds no answer of scalingfit"):
        recorded(tmp_path / "other.json")
    (tmp_path / "other.png").write_text(content)  # no picture, whatever its name says
    with pytest.raises(InputError, match="and no picture"):
        recorded(tmp_path / "other.png")
    with pytest.raises(InputError, match="cannot read"):
        recorded(tmp_path / "nowhere.json")


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    standin.posterior().save("fit.nc")
    typed = "report fit.nc fit.nc --compute 1e24 -o page.html --hardware h100 --mfu 0.4 --price 3"
    assert cli.run([*typed.split(), "--json"]) == cli.OK
    assert json.loads(capsys.readouterr().out)["written"] == "page.html"
    page = Page(Path("page.html").read_text("utf-8"))
    values = {box["name"]: box["value"] for box in page.all("input") if "name" in box}
    assert values["C"] == "1e24"
    assert float(str(values["rate"])) == pytest.approx(0.4 * 989.4e12, rel=1e-5)
    assert values["price"] == "3"
    assert cli.run(["report", "fit.nc"]) == cli.REFUSED
    assert "--compute 1e" in capsys.readouterr().err


def test_the_report_is_of_this_version(page: Page) -> None:
    assert f"Made by scalingfit {sf.__version__}" in re.sub(r"\s+", " ", page.text)
