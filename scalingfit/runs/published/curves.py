"""Published curves: of losses and error rates against one input, or along a schedule."""

from scalingfit.runs.published.entry import GITHUB, NO_LICENCE, Published

__all__ = ["CURVES"]

CURVES = (
    Published(
        name="alabdulmohsin_curves",
        title="92 learning curves in vision and language with a train/test split",
        rows=20282,
        citation="Alabdulmohsin, Neyshabur, Zhai 2022, arXiv:2209.06640",
        licence="CC BY 4.0 (original); MIT (the copy used)",
        sha256="e1a3a73dbb5bfe4f434fe9a85f16e2bfbcf4cd1f2be43ea94cac41494fd1a0d7",
        address=f"{GITHUB}/DongWooLee-Eli/nslpfn/"
        "10a5a60911a2a22ef453d8b4ddf1408b6a6075d9/data/benchmark.vision.csv",
        address_sha256="23b00692d71e58aa5a2a941e831d57688e0977fdcf5f5125ff7b64283b5d9e83",
        loss="error rates, and rescaled losses",
        notes=("groups: curve_id, in four domains; split tells what the source held out",),
        views={"train": {"where": "split=train"}},
        columns={"L": "loss", "X": "x_seen_examples"},
        # 687 rows of the language part stand in the source more than once.
        options={
            "bad_rows": "drop",
            "labels": ("curve_id", "domain", "task", "model", "split", "source_file"),
        },
    ),
    Published(
        name="multipower_lr_curves",
        title="Loss curves of 3 sizes (N nominal) under 9 learning-rate schedules",
        rows=6265,
        citation="Luo et al. 2025, arXiv:2503.12811",
        licence="MIT",
        sha256="dcc220645bbb371f5075fb5751f85f2b1498a7d66c744e2247522fc76e8b408d",
        address=f"{GITHUB}/thu-yao-01-luo/MultiPowerLaw/"
        "8da9f1902602f3391b971a811e3cc51604541769/loss_curve_repo/csv_100/constant_24000.csv",
        address_sha256="034a75e2415373a9be1097e9d406f98524344f4718d200d3a188dcbd5115103b",
        loss="nats per token",
        notes=("each curve is one run; split tells what the source held out",),
        views={"finals": {"last_of": "curve_id"}},
        columns={"N": ("model_size_label_million", 1e6), "L": "loss", "S": "step"},
    ),
    Published(
        name="double_descent_curves",
        title="16 double-descent curves of error or loss; split by curve_id",
        rows=929,
        citation="Nakkiran et al. 2020, arXiv:1912.02292; Lee et al. 2025, arXiv:2505.23032",
        licence="MIT (of the collection)",
        sha256="a53c9bf68813f00b6929bb6ad616cec28213118ceeb8762001b0724a44e764e9",
        address=f"{GITHUB}/DongWooLee-Eli/nslpfn/"
        "10a5a60911a2a22ef453d8b4ddf1408b6a6075d9/data/dd_data.pkl",
        address_sha256="b2a217fd64878a915f472a951dd5d60426bd4bb8fe0536ed6148a950da082198",
        loss="error rates or losses, by curve",
        notes=("groups: curve_id; the curves rise and fall",),
        views={"train": {"where": "split=train"}},
        columns={"L": "y", "X": "x"},
    ),
    Published(
        name="nanogpt_bench_width",
        title="24 curves of validation loss against embedding width; split by curve_id",
        rows=168,
        citation="Kadra et al. 2023 (NeurIPS); Lee et al. 2025, arXiv:2505.23032",
        licence="MIT (of the collection)",
        sha256="a36f43fa09d9da41485a9feef013dab61e200569e71ab04250c545d72f982fa2",
        address=f"{GITHUB}/DongWooLee-Eli/nslpfn/"
        "10a5a60911a2a22ef453d8b4ddf1408b6a6075d9/data/min_val_loss_over_n_embd.npy",
        address_sha256="10cd4c96b5931c2b3c022a621fba1b3c9382c9933ca1c22aa8676210b62e45c7",
        loss="nats per token",
        notes=("X is a width, not a count of parameters; groups: curve_id",),
        views={"train": {"where": "split=train"}},
        columns={"L": "loss", "X": "n_embd"},
    ),
    Published(
        name="bnsl_4digit_addition",
        title="Four-digit addition against training-set size, with a sharp inflection",
        rows=17,
        citation="Caballero et al. 2023, arXiv:2210.14891",
        licence=NO_LICENCE,
        sha256="b0cf738420756a6baea9840a3fe0c3a59f16ed8e24701fc9f5eb48b6855b97e2",
        address=f"{GITHUB}/ethancaballero/broken_neural_scaling_laws/"
        "ffa608f7ca7910b6f6bcbd39915491353ad5d600/"
        "fit_bnsl_and_extrapolate__4_digit_addition__dataset_size_x-axis.py",
        address_sha256="70d96aadb61810e71ce8b63a887e0ec42fb544a97aef3e63ac93921ef7bda509",
        loss="nats",
        views={"train": {"where": "split=train"}},
        columns={"L": "loss", "X": "x_train_examples"},
    ),
)
