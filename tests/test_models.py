"""One contract for all laws."""

import os
import pickle
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from numpyro.distributions import constraints

from scalingfit._positive import Positive, plain
from scalingfit.catalog import law, laws
from scalingfit.declare import Law, expanded, log
from tests.models import RUNS, ends, inputs, losses, prior_draws

ROOT = Path(__file__).parents[1]
LAWS = list(laws())


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@jax.jit
def as_the_engine_does(drawn: Law, given: dict[str, Any]) -> Any:
    """Losses and the gradient of their sum, with positive numbers held as their logarithms."""
    cls, logs = type(drawn), {k: Positive(jnp.log(v)) for k, v in given.items()}

    def total(values: dict[str, Any]) -> Any:
        held = {k: Positive(v) if _is_positive(cls, k) else v for k, v in values.items()}
        found = plain(cls(**held).loss(**logs))
        return jnp.sum(found), found

    values = {k: jnp.log(v) if _is_positive(cls, k) else v for k, v in drawn.values().items()}
    slopes, found = jax.vmap(jax.grad(total, has_aux=True))(values)
    return found, slopes


def _is_positive(cls: type[Law], parameter: str) -> bool:
    prior = cls.parameters()[parameter].prior
    return prior is None or prior.support is constraints.positive


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("name", LAWS)
def test_loss_and_gradient_are_finite_wherever_the_prior_reaches(name: str, double: bool) -> None:
    with jax.enable_x64(double):
        drawn, given = prior_draws(name, double=double), inputs(name, double=double)
        stated = losses(drawn, given)
        engine, slopes = as_the_engine_does(drawn, given)
    assert stated.shape == engine.shape
    assert stated.shape[1] == RUNS
    assert stated.dtype == engine.dtype == (np.float64 if double else np.float32)
    for parameter, slope in {"loss": stated, **slopes}.items():
        assert jnp.all(jnp.isfinite(slope)), parameter
    # Logarithms reach about 100, pass through a dozen operations and are exponentiated.
    rounding = 2000 * np.finfo(stated.dtype).eps
    np.testing.assert_allclose(engine, stated, rtol=rounding, atol=rounding)
    exact = [{k: np.asarray(v, float) for k, v in x.items()} for x in (drawn.values(), given)]
    double_precision = losses(law(name)(**exact[0]), exact[1])
    np.testing.assert_allclose(stated, double_precision, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("name", LAWS)
def test_more_never_hurts_but_where_the_law_says_so(name: str) -> None:
    drawn, given = prior_draws(name), {k: v[:3, None] for k, v in inputs(name).items()}
    for changed in law(name).inputs():
        rising = {**given, changed: np.geomspace(*ends(name, changed), RUNS)[None]}
        shape = (3, RUNS)
        found = np.asarray(losses(drawn, {k: np.broadcast_to(v, shape) for k, v in rising.items()}))
        rises = np.diff(found) / np.abs(found[..., 1:])
        assert (rises.max() > 1e-12) == (changed in law(name).may_rise), changed
        assert np.mean(rises < 0) > 0.3, changed


@pytest.mark.parametrize("name", LAWS)
def test_a_floor_is_what_is_added_to_the_rest_or_taken_from_it(name: str) -> None:
    """And whatever is added or taken is declared as a floor, for the sampler's sake."""
    drawn, given = prior_draws(name), inputs(name)
    before = np.asarray(losses(drawn, given))
    usual = np.abs(before) < 1e3
    for parameter, declared in law(name).parameters().items():
        raised = drawn.values() | {parameter: drawn.values()[parameter] + 0.5}
        rise = (losses(law(name)(**raised), given) - before)[usual]
        added = any(np.allclose(rise, by, rtol=0, atol=1e-9) for by in (0.5, -0.5))
        assert declared.floor == added, parameter


@pytest.mark.parametrize(
    ("name", "parameter", "method"),
    [
        (name, parameter, declared.through)
        for name in LAWS
        for parameter, declared in law(name).parameters().items()
        if declared.through is not None
    ],
)
def test_what_is_sampled_through_a_method_goes_by_a_power_of_it(
    name: str, parameter: str, method: str
) -> None:
    drawn, given = prior_draws(name), inputs(name)
    held = {axis: Positive(jnp.log(column)) for axis, column in given.items()}

    def logs(factor: float) -> NDArray[np.float64]:
        values = drawn.values() | {parameter: factor * drawn.values()[parameter]}
        positive = {each: Positive(jnp.log(value)) for each, value in values.items()}
        found = getattr(expanded(law(name)(**positive), 1), method)(**held)
        return np.asarray(log(found))

    once, twice, fourfold = logs(1.0), logs(2.0), logs(4.0)
    assert (np.abs(twice - once) > 0.1).all()
    np.testing.assert_allclose(fourfold - once, 2 * (twice - once), rtol=1e-9)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_a_tree_of_its_parameters(name: str) -> None:
    drawn, given = prior_draws(name), inputs(name)
    leaves, tree = jax.tree.flatten(drawn)
    assert len(leaves) == len(law(name).parameters())
    again = jax.tree.unflatten(tree, leaves)
    assert type(again) is law(name)
    assert all(again.values()[k] is v for k, v in drawn.values().items())
    one_by_one = jax.jit(jax.vmap(lambda drawn: drawn.loss(**given)))(drawn)
    np.testing.assert_allclose(one_by_one, losses(drawn, given), rtol=1e-12, atol=1e-12)
    back = pickle.loads(pickle.dumps(drawn))
    assert all(np.array_equal(back.values()[k], v) for k, v in drawn.values().items())


@pytest.mark.parametrize("name", LAWS)
def test_a_law_says_where_it_comes_from_and_why_it_believes_what(name: str) -> None:
    assert law(name).name == name
    cited = re.compile(r"arXiv \d{4}\.\d{5}\b")
    assert cited.search(law(name).__doc__ or "")
    for parameter, declared in law(name).parameters().items():
        assert re.search(r"\S.*: \S", declared.about), f"{parameter}: meaning, colon, reason"
        assert re.search(r"\d", declared.describe_prior().format(name=parameter))
    for key, published in law(name).published.items():
        assert cited.search(published.source), key
        assert published.conventions, key


@pytest.mark.parametrize("name", [name for name in LAWS if law(name).published])
def test_published_points_are_finite_and_no_surprise_to_the_prior(name: str) -> None:
    prior = prior_draws(name).values()
    for key, published in law(name).published.items():
        assert jnp.all(jnp.isfinite(published.law.loss(**inputs(name)))), key
        for parameter, value in published.values.items():
            below = np.mean(prior[parameter] <= value)
            assert 0 < below < 1 or value == 0, f"{key}: {parameter} = {value}"


def test_every_law_is_in_the_catalogue() -> None:
    files = {path.stem for path in (ROOT / "models").glob("[!_]*.py")}
    assert files <= set(LAWS)


def law_in_the_contributing_guide() -> str:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    return str(source)


def test_the_law_in_the_contributing_guide_works(tmp_path: Path) -> None:
    (tmp_path / "compute.py").write_text(law_in_the_contributing_guide(), "utf-8")
    compute = runpy.run_path(str(tmp_path / "compute.py"), run_name="compute")["Compute"]
    assert (compute.name, compute.inputs()) == ("compute", ("C",))
    assert compute(E=1.5, alpha=0.5, A=1e10).loss(1e22) == pytest.approx(1.6)


@pytest.mark.slow
def test_the_contract_holds_for_laws_of_other_packages(tmp_path: Path) -> None:
    """A law is held like ours that comes from elsewhere and takes an input that no law here has."""
    source = law_in_the_contributing_guide().replace("C: Any", "effort: Any")
    source = source.replace("C**", "effort**").replace('of="C"', 'of="effort"')
    source = source.replace(
        "    E: Array", '    symbols = {"effort": "hours of work"}\n    E: Array', 1
    )
    (tmp_path / "theirs.py").write_text(source, "utf-8")
    installed = tmp_path / "theirs-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[scalingfit.laws]\ncompute = theirs:Compute\n")
    places = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    tests = [f"tests/{name}.py" for name in ("test_models", "test_models_fits", "test_catalog")]
    chosen = "[compute or catalogue or every_file"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", *tests, "-k", chosen],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for named in ("test_every_law_recovers_its_parameters[compute]", "comes_back_from_its_file"):
        assert re.search(rf"PASSED .*{re.escape(named)}", done.stdout), done.stdout


@pytest.mark.parametrize("name", laws())
def test_every_input_and_every_point_says_what_it_is(name: str) -> None:
    assert all(law(name).meanings().values())
    for point in law(name).published.values():
        assert point.conventions
        # What is said of N in words is also said to the counting rules.
        for words, total in {"N total": True, "N without embeddings": False}.items():
            assert words not in point.conventions or point.total is total
