"""Tables by name: local, fetched, shipped, or refused."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import datasets
from scalingfit.runs.published import PUBLISHED

ENTRIES = {entry.name: entry for entry in PUBLISHED}


@pytest.fixture
def local(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(data_dir))
    return data_dir


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No local folder, an empty cache, and no network."""

    def no_network(*arguments: Any, **options: Any) -> None:
        raise ConnectionError("no network in tests")

    monkeypatch.delenv(datasets.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("scalingfit.runs.datasets.pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr("pooch.core.stream_download", no_network)
    return tmp_path / "cache"


DROPPED = {"misfitting_checkpoints": 2, "clark_routing_moe": 8, "alabdulmohsin_curves": 687}
DROPPED |= {"xlstm_isoflop": 1}


@pytest.mark.parametrize("name", ENTRIES)
def test_local_tables_load_whole_with_every_left_out_row_recorded(local: Any, name: str) -> None:
    runs = datasets.read(name)
    entry = ENTRIES[name]
    assert len(runs) + len(runs.provenance["dropped"]) == entry.rows
    assert len(runs.provenance["dropped"]) == DROPPED.get(name, 0)
    assert runs.provenance["dataset"]["citation"] == entry.citation
    assert runs.provenance["sha256"] == entry.sha256
    assert datasets.info(name)["available"] == "local"
    raw = pd.read_csv(local / entry.file)
    raw = raw.iloc[runs.row_numbers - 2]  # line 1 is the header
    for symbol, spec in entry.columns.items():
        column, factor = (spec, 1.0) if isinstance(spec, str) else spec
        np.testing.assert_array_equal(runs[symbol], raw[column] * factor)


def test_dropped_rows_are_the_ones_the_publishers_flag(local: Any) -> None:
    raw = pd.read_csv(local / "alabdulmohsin_curves.csv")
    runs = datasets.read("alabdulmohsin_curves")
    dropped = [int(str(row["line"])) - 2 for row in runs.provenance["dropped"]]
    np.testing.assert_array_equal(dropped, np.flatnonzero(raw["duplicate_row"] == 1))


def test_besiroglus_240_points_are_one_split_away(local: Any) -> None:
    kept = datasets.read("epoch_chinchilla").split("besiroglu_excluded")[0]
    assert len(kept) == 240
    # Their objective at their published parameters (analyzing-chinchilla, cell 18).
    log_loss = np.logaddexp(
        np.logaddexp(
            np.log(477.84171252965143) - 0.34731265761033453 * np.log(kept.N),
            np.log(2143.8637880335505) - 0.3671826173946711 * np.log(kept.D),
        ),
        np.log(1.817235504463726),
    )
    residual = np.abs(log_loss - np.log(kept.L))
    huber = np.where(residual < 1e-3, residual**2 / 2, 1e-3 * (residual - 5e-4))
    assert huber.sum() == pytest.approx(0.0010182740346, rel=1e-6)


def test_options_replace_the_ones_a_table_comes_with(local: Any) -> None:
    runs = datasets.read("porian_isoflop", N="params_non_embedding", C=None, labels=["experiment"])
    assert set(runs.labels) == {"experiment"}
    assert runs.provenance["columns"]["N"]["column"] == "params_non_embedding"


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.fetchable])
def test_a_fetched_source_gives_the_same_runs_as_the_tidy_file(
    data_dir: Path, offline: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    entry = ENTRIES[name]
    # What the source looks like: the tidy columns under their original names, less what is derived.
    source = pd.read_csv(data_dir / entry.file).drop(columns=[*entry.derived])
    source = source.rename(columns={tidy: original for original, tidy in entry.renamed.items()})
    path = offline / f"{name}-{entry.address.rsplit('/', 1)[1]}"
    path.parent.mkdir()
    source.to_csv(path, index=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = dataclasses.replace(entry, address_sha256=digest)
    monkeypatch.setattr(datasets, "_BY_NAME", {name: known})

    assert datasets.info(name)["available"] == "cached"
    fetched = datasets.read(name)
    assert fetched.provenance["source"] == entry.address
    assert fetched.provenance["sha256"] == digest
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(data_dir))
    local = datasets.read(name)
    assert fetched.digest == local.digest
    for label in entry.derived.keys() & local.labels.keys():
        np.testing.assert_array_equal(fetched.labels[label], local.labels[label])


def test_a_file_of_another_content_is_refused(
    offline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "epoch_chinchilla.csv").write_text("params,tokens,loss\n1e7,1e9,3\n1e8,1e9,2\n")
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(InputError) as caught:
        datasets.read("epoch_chinchilla")
    for words in ("not the published table", "expected: 0ad4c17b", 'read(..., N="params"'):
        assert words in str(caught.value)


def test_without_network_the_message_says_how_to_get_the_table(offline: Any) -> None:
    assert datasets.info("epoch_chinchilla")["available"] == "fetchable"
    with pytest.raises(InputError) as caught:
        datasets.read("epoch_chinchilla")
    entry = ENTRIES["epoch_chinchilla"]
    for words in (entry.address, entry.address_sha256, str(offline), "no network in tests"):
        assert words in str(caught.value)


def test_a_source_that_is_no_table_is_never_opened(offline: Any) -> None:
    assert datasets.info("porian_isoflop")["available"] == "local only"
    with pytest.raises(InputError) as caught:
        datasets.read("porian_isoflop")
    for words in ("summary_df.pickle.xz", "SCALINGFIT_DATA", 'N="params"', "arXiv:2406.19146"):
        assert words in str(caught.value)
    assert not offline.exists()


def test_unknown_names_are_refused_with_the_closest_ones() -> None:
    with pytest.raises(InputError, match="closest: epoch_chinchilla"):
        datasets.read("chinchilla")
    with pytest.raises(InputError, match="tables: ladder, epoch_chinchilla"):
        datasets.info("???")


def test_the_table_of_tables_has_a_row_for_every_name(offline: Any) -> None:
    rows = datasets.table()
    assert [row["name"] for row in rows] == datasets.names()
    for row in rows:
        assert row.keys() >= {"rows", "inputs", "title", "licence", "citation", "available"}
    assert json.loads(json.dumps(rows)) == rows
    assert rows[3]["inputs"] == "N D U"
    assert "arXiv:2203.15556" in datasets.describe("epoch_chinchilla")


@pytest.mark.skipif(not datasets.LADDER.is_file(), reason="the ladder has not been trained yet")
def test_the_shipped_table_is_a_design_that_identifies_a_law(offline: Any) -> None:
    runs = datasets.read("ladder")
    assert runs.inputs == ("N", "D", "C")
    assert "loss_se" in runs.columns
    assert runs.provenance["dropped"] == []
    assert runs.design_warnings() == []
    assert datasets.info("ladder")["rows"] == len(runs)
    assert datasets.info("ladder")["available"] == "shipped"
