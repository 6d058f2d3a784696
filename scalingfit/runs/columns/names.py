"""Headers: which column is which symbol, and which unit a header states."""

import functools
import re
from collections.abc import Mapping, Sequence

from scalingfit.runs.cells import PF_DAY, SI, UNITS, loss_units

SPELLINGS: Mapping[str, tuple[frozenset[str], ...]] = {
    symbol: tuple(frozenset(tier.split()) for tier in tiers)
    for symbol, tiers in {
        "N": (
            "N params parameters n_params num_params nparams n_parameters num_parameters "
            "param_count parameter_count model_size model_params model_parameters total_params "
            "params_total total_parameters num_total_params n_params_total n_total_params "
            "trainable_params num_trainable_params model_num_parameters "
            "active_params params_active active_parameters num_active_params n_active_params "
            "n_active activated_params activated_parameters model_num_params model_n_params "
            "model_parameter_count",
            "model size scale model_scale",
        ),
        "D": (
            "D tokens n_tokens num_tokens ntokens train_tokens training_tokens total_tokens "
            "token_count tokens_seen tokens_trained trained_tokens num_input_tokens_seen "
            "n_tokens_seen ntokens_seen num_tokens_seen total_tokens_seen tokens_processed "
            "consumed_tokens throughput_total_tokens optim_total_tokens global_train_tokens_seen "
            "train_num_input_tokens_seen",
        ),
        "C": (
            "C flops flop compute train_flops train_flop training_flops training_flop total_flops "
            "total_flop total_training_flops train_compute training_compute total_flos "
            "train_total_flos flos pf_days pflop_s_days pflops_days petaflop_s_days petaflops_days",
            "budget flops_budget flop_budget compute_budget flops_target target_flops",
        ),
        "M": (
            "M tokens_per_param tokens_per_parameter tokens_per_params d_n token_multiplier "
            "param_data_ratio tokens_params",
        ),
        "U": ("U unique_tokens tokens_unique n_unique_tokens num_unique_tokens",),
        "experts": ("experts num_experts n_experts",),
        "N_nv": ("N_nv params_non_vocab non_vocab_params non_vocab_parameters",),
        "N_v": ("N_v params_vocab vocab_params vocab_parameters",),
        "L": (
            "L loss val_loss valid_loss validation_loss eval_loss evaluation_loss final_loss "
            "test_loss final_val_loss val_loss_final final_eval_loss final_validation_loss "
            "loss_final dev_loss heldout_loss held_out_loss nll val_nll eval_nll test_nll "
            "cross_entropy val_cross_entropy eval_cross_entropy cross_entropy_loss val_ce "
            "lm_loss_validation validation_lm_loss validation_metrics_loss",
            "bpb val_bpb eval_bpb test_bpb valid_bpb validation_bpb bits_per_byte "
            "val_bits_per_byte eval_bits_per_byte macro_bpb eval_macro_bpb",
            "paloma_macro paloma_macro_loss eval_paloma_macro_loss eval_macro_loss macro_loss",
        ),
        "loss_se": ("loss_se loss_stderr loss_standard_error se",),
        "weight": ("weight",),
    }.items()
}
"""Common names of each column as `normal` gives them; the first tier that is there counts."""

PLAIN = ("S", "X", "D_F")
"""Further inputs of laws, known by these names alone."""

FURTHER = ("U", "experts", "N_nv", "N_v", *PLAIN)
"""Inputs beside N, D and C; known where their column holds positive numbers."""

RUN_NAMES = frozenset({"run", "run_id", "runid", "run_name", "runname", "wandb_id"})
"""Labels that name training runs, as headers are compared."""

_COUNT = r"(K|M|B|G|T|(?i:thousand|million|billion|trillion)s?)"
_SCALED = r"(?:[x×*/] ?)?(?:1[eE]\+?(\d{1,2})|10\^(\d{1,2}))"
_FLOP = r"(?i:total |training )?([kmgtpezyKMGTPEZY]?)(?i:flops?|flop)"
_PF_DAYS = r"(?i:p(?:eta)?f(?:lop)?(?:s|/s)?[ -]?days?)"
_IN_BRACKETS = re.compile(r"\s*[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*$")
_IN_WORDS = re.compile(r"[\s_-]+(?:in[\s_-]+)?(thousand|million|billion|trillion)s?$", re.I)
_LETTER = re.compile(r"(?<=[A-Za-z])_([KMBT])$")
_FLOP_PREFIX = re.compile(
    r"(?:throughput_)?(total_|(?:total_)?train(?:ing)?_)"
    r"(kilo|mega|giga|tera|peta|exa|zetta|[kmgtpez])flops?"
)
_SPELLED_FLOP = {"kilo": "k", "mega": "m", "giga": "g", "tera": "t", "peta": "p"} | {
    "exa": "e",
    "zetta": "z",
    "yotta": "y",
}
_LOGARITHM = re.compile(r"^(log10|log_10|lg|ln|log2|log)[\s_(]+(.*?)\)?$", re.I)


def header_unit(name: str) -> tuple[str, float]:
    """Split "Model Size (B)" into "Model Size" and 1e9; only unmistakable units count."""
    brackets = _IN_BRACKETS.search(name)
    if brackets is not None:
        factor = _unit(brackets[1])
        return (name, 1.0) if factor is None else (name[: brackets.start()], factor)
    words = _IN_WORDS.search(name)
    if words is not None:
        return name[: words.start()], UNITS[words[1].lower()]
    letter = _LETTER.search(name)
    if letter is not None and _is_input(name[: letter.start()]):
        return name[: letter.start()], UNITS[letter[1].lower()]
    if re.fullmatch(_PF_DAYS, name.strip().replace("_", "-")):
        return name, PF_DAY
    flop = _FLOP_PREFIX.fullmatch(_words(name))
    if flop is not None:
        return f"{flop[1]}flops", SI[_SPELLED_FLOP.get(flop[2], flop[2])]
    return name, 1.0


def _unit(text: str) -> float | None:
    """What a unit in brackets stands for."""
    word = " ".join(text.split())
    count = re.fullmatch(_COUNT, word)
    if count is not None:
        return UNITS[count[1].lower().removesuffix("s")]
    scaled = re.fullmatch(_SCALED, word)
    if scaled is not None:
        return float(f"1e{scaled[1] or scaled[2]}")
    if re.fullmatch(_PF_DAYS, word):
        return PF_DAY
    for spelled, letter in _SPELLED_FLOP.items():
        word = re.sub(rf"(?i)\b{spelled}(?=flop)", letter, word)
    flop = re.fullmatch(_FLOP, word)
    return SI[flop[1].lower()] if flop is not None else None


@functools.lru_cache(maxsize=65536)
def normal(name: str) -> str:
    """Lower case, words joined by underscores, without units and logging prefixes.

    A single letter keeps its case: N is a symbol, n is not.
    """
    bare = header_unit(name)[0].strip()
    bare = re.sub(r"\s*[(\[](?:FLOPs?|tokens|params|nats|bits|bpb|bits/byte)[)\]]$", "", bare)
    if len(bare) == 1:
        return bare
    return re.sub(r"^(config|summary)_+", "", _words(bare))


def _words(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", "_", name)
    words = spaced.strip("_").lower()
    return {"n_nv": "N_nv", "n_v": "N_v", "d_f": "D_F"}.get(words, words)


def _is_input(name: str) -> bool:
    return any(_words(name) in tier or name in tier for s in "NDCU" for tier in SPELLINGS[s])


def symbol_of(name: str) -> str | None:
    """The symbol that a header is a common name of."""
    plain = normal(name)
    return next(
        (symbol for symbol, tiers in SPELLINGS.items() if any(plain in tier for tier in tiers)),
        None,
    )


def candidates(symbol: str, names: Sequence[str]) -> list[str]:
    """The columns that could be a symbol: those of the first tier of spellings that is there."""
    normals = {name: normal(name) for name in names}
    for tier in SPELLINGS.get(symbol, (frozenset([symbol]),)):
        found = [name for name, plain in normals.items() if plain in tier]
        if found:
            return found
    return []


def logarithms(names: Sequence[str]) -> dict[str, str]:
    """Formulas of the inputs whose logarithm is a column: ``{"N": "10^log10_params"}``."""
    found: dict[str, str] = {}
    for name in names:
        written = _LOGARITHM.match(name)
        symbol = symbol_of(written[2]) if written is not None else None
        if written is not None and symbol in ("N", "D", "C"):
            base = {"log10": "10^{}", "log_10": "10^{}", "lg": "10^{}", "log2": "2^{}"}
            form = base.get(written[1].lower(), "exp({})")
            found.setdefault(symbol, form.format(quoted(name)))
    return found


def quoted(name: str) -> str:
    """A column as it stands in a formula: between backticks where it is no plain word."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"`{name}`"


def measures(names: Sequence[str]) -> dict[str, str]:
    """Columns whose header names a unit in which no loss falls, such as ``{"val_ppl": "ppl"}``."""
    found = {name: loss_units.in_header(name) for name in names}
    return {name: unit for name, unit in found.items() if unit in ("ppl", "accuracy")}
