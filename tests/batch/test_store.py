"""The folder of fits: whole or not at all, by content, for many writers. No draws are needed."""

import dataclasses
import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import scalingfit as sf
from scalingfit.batch import Refits, Store
from scalingfit.batch import tasks as work
from scalingfit.batch.tasks import Order, cut_up, identifier
from scalingfit.declare import Array, Law, parameter
from scalingfit.inference import Settings, build
from scalingfit.noise import Normal
from scalingfit.runs import Runs
from tests.batch.small import QUICK, same_bits, simulated

pytestmark = pytest.mark.usefixtures("pretended")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "fits"


def refit(tables: dict[str, Runs], folder: Path, **options: Any) -> Refits:
    return sf.refit(tables, **{**QUICK, "store": folder, "chunk": 4, **options})


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.fits.zip"))


def orders(refits: Refits) -> dict[str, Order]:
    """The fits under arbitrary identities."""
    return {str(label): Order(str(label), refits[label].model, refits[label].runs)
            for label in refits.fitted}  # fmt: skip


def test_fits_come_back_as_they_were(tables: dict[str, Runs], folder: Path) -> None:
    made = refit(tables, folder)
    assert len(chunks(folder)) == 3
    again = refit(tables, folder)
    assert len(chunks(folder)) == 3
    assert again.fitted == made.fitted
    assert same_bits(made, again)
    for label in tables:
        old, new = made[label], again[label]
        assert old.provenance == new.provenance
        assert old.verdict == new.verdict
        assert old.summary() == new.summary()
        for field in dataclasses.fields(old.sampled):
            if field.name not in ("values", "diagnosis"):
                before, after = (getattr(fit.sampled, field.name) for fit in (old, new))
                assert np.array_equal(before, after), field.name
                assert getattr(before, "dtype", None) == getattr(after, "dtype", None)


def test_only_what_is_missing_is_made(
    tables: dict[str, Runs], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dict(list(tables.items())[:5])
    refit(first, folder)
    before = chunks(folder)
    refit(tables, folder, chunk=100)
    (new,) = set(chunks(folder)) - set(before)
    with zipfile.ZipFile(new) as chunk:
        assert len(chunk.namelist()) == len(tables) - len(first)


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied"])
def test_a_damaged_chunk_is_reported_and_made_again(
    tables: dict[str, Runs], folder: Path, damage: str
) -> None:
    made = refit(tables, folder)
    victim = chunks(folder)[1]
    content = bytearray(victim.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    damaged = {"flipped": bytes(content), "cut": bytes(content[:-100]), "emptied": b""}
    victim.write_bytes(damaged[damage])
    again = refit(tables, folder)
    assert again.fitted == made.fitted
    assert same_bits(made, again)
    (note,) = again.caveats
    assert note.code == "damaged_store"
    assert victim.name in str(note.text)
    assert str(note.text) in str(again)
    assert victim.with_name(f"{victim.name}.damaged").exists()
    assert len(chunks(folder)) == 3
    assert not refit(tables, folder).caveats


def test_what_a_crash_leaves_behind_is_no_chunk(tables: dict[str, Runs], folder: Path) -> None:
    made = refit(tables, folder)
    whole = chunks(folder)[0]
    (folder / f".{whole.name}.x7.part").write_bytes(whole.read_bytes()[:1000])
    again = refit(tables, folder)
    assert same_bits(made, again)
    assert not again.caveats


def test_a_folder_of_other_things_is_refused(tables: dict[str, Runs], folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"is not a store of fits: it holds thesis\.tex"):
        refit(tables, folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tables: dict[str, Runs], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"is a file.*\n.*a new or an empty folder"):
        refit(tables, tmp_path / "file")
    with pytest.raises(ValueError, match="cannot make the store"):
        refit(tables, tmp_path / "file" / "fits")


def test_another_format_is_refused(tables: dict[str, Runs], folder: Path) -> None:
    refit(tables, folder)
    manifest = folder / "scalingfit.json"
    said = json.loads(manifest.read_text()) | {"format": 99, "scalingfit": "9.9"}
    manifest.write_text(json.dumps(said))
    with pytest.raises(ValueError, match=r"format 99.*(\n.*)*scalingfit 9\.9"):
        refit(tables, folder)


def test_many_writers_lose_nothing(tables: dict[str, Runs], folder: Path) -> None:
    made = sf.refit(tables, **QUICK)
    fits = {str(label): made[label] for label in made.fitted}
    failures: list[Exception] = []

    def write(label: str) -> None:
        try:
            Store(folder).write({label: fits[label]})
            Store(folder).write(fits)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(label,)) for label in fits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    store = Store(folder)
    found = store.read(orders(made).values())
    assert found.keys() == fits.keys()
    assert not store.notes


def test_nothing_unwanted_is_read(tables: dict[str, Runs], folder: Path) -> None:
    made = sf.refit(tables, **QUICK)
    Store(folder).write({str(label): made[label] for label in made.fitted})
    wanted = orders(made)["table 3"]
    assert set(Store(folder).read([wanted])) == {"table 3"}
    assert Store(folder).read([]) == {}
    assert Store(folder).read([dataclasses.replace(wanted, identity="other")]) == {}


@pytest.mark.parametrize(
    ("count", "devices", "group", "sizes"),
    [
        (62, 1, 1, [8] * 7 + [6]),
        (62, 16, 1, [16, 16, 16, 14]),  # devices are kept busy
        (62, 1, 2048, [62]),  # and programs full
        (5, 1, 1, [1] * 5),
        (600, 1, 1, [32] * 18 + [24]),  # no more is at stake than that takes
    ],
)
def test_work_is_cut_into_several_tasks(
    count: int, devices: int, group: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "group_size", lambda rows: group)
    model, runs = build(sf.law("chinchilla"), Normal), simulated(20, seed=0)
    wanted = [Order(str(number), model, runs) for number in range(count)]
    assert [len(task.tables) for task in cut_up(wanted, Settings(), devices)] == sizes
    assert [len(task.tables) for task in cut_up(wanted, Settings(), devices, count)] == [count]


# What identifies a fit -------------------------------------------------------------------------


def identity(runs: Runs, priors: dict[str, Any] | None = None, **settings: Any) -> str:
    model = build(sf.law("chinchilla"), Normal, priors)
    return identifier(model, Settings(**settings))(runs)


def test_all_that_decides_draws_is_in_the_identity() -> None:
    runs = simulated(20, seed=0)
    other = runs.with_weight(np.ones(20))
    mixture = [
        dist.MixtureSameFamily(dist.Categorical(np.array([p, 1 - p])), dist.Gamma(np.ones(2), 1.0))
        for p in (0.3, 0.4)
    ]
    found = [
        identity(runs),
        identity(other),
        identity(runs.take(np.arange(19))),
        identity(runs, seed=1),
        identity(runs, draws=999),
        identity(runs, chains=5),
        identity(runs, method="auto"),
        identity(runs, precision="float32"),
        identity(runs, limits=sf.Limits(rhat=1.02)),
        identity(runs, {"alpha": 0.3}),
        identity(runs, {"alpha": 0.3000000001}),
        identity(runs, {"beta": "alpha"}),
        identity(runs, {"alpha": dist.LogNormal(0.1, 1.0)}),
        identity(runs, {"alpha": dist.LogNormal(0.1000001, 1.0)}),
        identity(runs, {"alpha": dist.Normal(0.1, 1.0)}),
        identity(runs, {"E": mixture[0]}),
        identity(runs, {"E": mixture[1]}),
        identifier(build(sf.law("kaplan"), Normal), Settings())(runs),
        identifier(build(sf.law("chinchilla"), sf.noise.Laplace), Settings())(runs),
    ]  # fmt: skip
    assert len(set(found)) == len(found)


def test_what_does_not_decide_draws_is_not() -> None:
    runs = simulated(20, seed=0)
    labelled = simulated(20, seed=0, labels={"family": ["a"] * 20}, row_numbers=np.arange(20) + 7)
    assert identity(runs) == identity(labelled)
    priors: list[dict[str, Any]] = [{"alpha": dist.LogNormal(0.1, 1.0), "E": 1} for _ in range(2)]
    assert identity(runs, priors[0]) == identity(runs, dict(reversed(priors[1].items())))


def floor(prior: dist.Distribution, power: float) -> type[Law]:
    """A law that is written anew each time, always under the same name."""
    if power == 1:

        class Floor(Law):
            E: Array = parameter(prior, "floor")

            def loss(self, N: Any) -> Any:
                return self.E + 1 / N

    else:

        class Floor(Law):  # type: ignore[no-redef]
            E: Array = parameter(prior, "floor")

            def loss(self, N: Any) -> Any:
                return self.E + 1 / N**0.5

    return Floor


def test_an_edited_law_is_another_law() -> None:
    runs, one = simulated(20, seed=0), dist.LogNormal(0.0, 1.0)
    versions = [floor(one, 1), floor(one, 1), floor(one, 0.5), floor(dist.LogNormal(0.1, 1.0), 1)]
    found = [identifier(build(law, Normal), Settings())(runs) for law in versions]
    assert found[0] == found[1]
    assert len(set(found)) == 3


HELPED = """
from scalingfit.declare import Law, Array, dist, jnp, parameter

HALF, GRID = 0.5, jnp.linspace(0.0, 1.0, 5000)

def worth(x):
    return 1 / x**HALF

class Helped(Law):
    E: Array = parameter(dist.LogNormal(0.0, 1.0), "floor")

    def loss(self, N):
        return self.E + worth(N) + jnp.interp(N, GRID, GRID)
"""


def typed(text: str) -> type[Law]:
    """A law typed at a prompt: there is no file to read it from."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(text, names)
    law: type[Law] = names["Helped"]
    return law


def test_what_a_law_calls_and_its_constants_are_part_of_it() -> None:
    runs, helper = simulated(20, seed=0), ("1 / x**", "2 / x**")
    number, array = ("0.5", "0.5000000000000001"), ("5000)", "5000).at[2500].add(1e-6)")
    comment = ("def worth", "# said\ndef worth")
    edits = [("", ""), comment, helper, number, array]
    laws = [typed(HELPED.replace(*edit)) for edit in edits]
    found = [identifier(build(law, Normal), Settings())(runs) for law in laws]
    assert found[0] == found[1]
    assert len(set(found)) == len(found) - 1


IDENTITIES = """
import scalingfit as sf
from scalingfit.batch.tasks import identifier
from scalingfit.inference.build import build
from scalingfit.inference.settings import Settings
from tests.batch.small import simulated
for law in ("kaplan_steps", "data_constrained", "power_m4"):
    print(identifier(build(sf.law(law), sf.noise.StudentT), Settings())(simulated(20, seed=0)))
"""


def test_every_process_identifies_alike(capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"PATH": "", "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    other = subprocess.check_output([sys.executable, "-c", IDENTITIES], text=True, env=environment)
    exec(IDENTITIES, {})
    assert capsys.readouterr().out == other
    assert len(set(other.split())) == 3
