"""Published tables of language models, by parameters and tokens or compute."""

from scalingfit.runs.published.entry import GITHUB, NO_LICENCE, Published

__all__ = ["LANGUAGE_MODELS"]

_N_D_L = {"N": "params", "D": "tokens", "L": "loss"}
_N_D_C_L = {"N": "params", "D": "tokens", "C": "flops", "L": "loss"}

LANGUAGE_MODELS = (
    Published(
        name="epoch_chinchilla",
        title="Chinchilla runs read off figure 4; loss precise to about 0.01, D = C / 6N",
        rows=245,
        citation="Hoffmann et al. 2022, arXiv:2203.15556 (runs); "
        "Besiroglu et al. 2024, arXiv:2404.10102 (extraction)",
        licence=NO_LICENCE,
        sha256="0ad4c17b4c648eedc9f5e6659e918cccb01fb160df2d4d499ec314609752c3fd",
        address=f"{GITHUB}/epoch-research/analyzing-chinchilla/"
        "92258837425e1b5f2851d624287f0120583a3d0e/data/svg_extracted_data.csv",
        address_sha256="193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
        loss="nats per token",
        notes=(
            "losses are read off a colour map, to about 0.01 and worse where they are high",
            "D is C / (6 N), so the three are not independent",
        ),
        views={"besiroglu": {"where": "besiroglu_excluded=0"}},
        columns=_N_D_C_L,
        renamed={"Model Size": "params", "Training FLOP": "flops"},
        derived={
            "tokens": lambda t: t["flops"] / (6 * t["params"]),
            # Besiroglu et al. leave out the five highest losses.
            "besiroglu_excluded": lambda t: (t["loss"] >= t["loss"].nlargest(5).min()).astype(int),
        },
    ),
    Published(
        name="porian_isoflop",
        title="IsoFLOP points from Kaplan-like to Chinchilla-like training; split by experiment",
        rows=1745,
        citation="Porian et al. 2024, arXiv:2406.19146",
        licence="MIT-style text in the repository",
        sha256="3fdbd0f1c2ef8d0cddddaf5aa14925c6568789ce2a4f2bdd610e8675d7cd081f",
        address=f"{GITHUB}/formll/resolving-scaling-law-discrepancies/"
        "0dc60d91b8a525858a3067fc9e4a46ff5374cc6f/data/summary_df.pickle.xz",
        address_sha256="afbf07ec92d23182f56a44dd43599f2a7e9716fd70492fbc0a35f6093272b74f",
        loss="nats per token",
        notes=(
            "one run gives points at several budgets, so rows of an experiment are correlated",
            "stages differ in how N and compute are counted, and in tuning: fit one of them",
        ),
        views={
            "tuned": {"where": ("dataset=RefinedWeb", "stage=Optimizer tuning (no decay)")},
        },
        columns=_N_D_C_L,
    ),
    Published(
        name="muennighoff_data_constrained",
        title="Runs on repeated data; U is unique tokens",
        rows=296,
        citation="Muennighoff et al. 2023, arXiv:2305.16264",
        licence="Apache-2.0",
        sha256="5da281381fc5ac0718b7bf21c565cd0b3b1aa9ded0c44f02e6b26e011c7762e4",
        address=f"{GITHUB}/huggingface/datablations/"
        "13701315b163f1c54642b94ad237b2699187c3ee/utils/parametric_fit.ipynb",
        address_sha256="6c65d270e70c944a9ac90f5f1213a4584e1ff9d6d2781cd86900663f4ab17db9",
        loss="nats per token",
        notes=("some runs diverge or overfit: losses reach 11",),
        views={"fitted": {"where": "in_final_fit_182=1"}},
        columns={**_N_D_L, "U": "unique_tokens"},
    ),
    Published(
        name="misfitting_checkpoints",
        title="Checkpoints of runs at several learning rates; most are mid-schedule",
        rows=4852,
        citation="Li, Kudugunta, Zettlemoyer 2025, arXiv:2502.18969",
        licence=NO_LICENCE,
        sha256="74f056a48cebf2f0e33901b4f5a5a298f00a7a4199fd9360b19682296e382eb8",
        address=f"{GITHUB}/hadasah/scaling_laws/"
        "1f3708c0a12df0effb0ee906b1da5f9f0ff4f4f1/data/scaling_results.csv",
        address_sha256="193b4b7665365112605417e2ef06d55efe599cfa08412354e3ae42c3af7a9f58",
        loss="nats per token",
        notes=(
            "most rows are checkpoints before the end of their schedule, where losses are higher",
            "several learning rates at each size",
        ),
        views={
            "finals": {"where": "portion_elapsed>=1"},
            "best_finals": {"where": "portion_elapsed>=1", "best_of": "N,D"},
        },
        columns=_N_D_C_L,
        options={"bad_rows": "drop"},  # two rows stand in the file twice
        renamed={
            "N": "params",
            "N_no_emb": "params_non_embedding",
            "D": "tokens",
            "C": "flops",
            "C_no_emb": "flops_non_embedding",
            "portion_steps_elapsed": "portion_elapsed",
            "current_steps": "step",
            "current_epoch": "epoch",
        },
    ),
    Published(
        name="llama3_isoflop",
        title="Llama 3 IsoFLOP points read off figure 2; unit of the loss unknown, not nats",
        rows=133,
        citation="Llama Team 2024, arXiv:2407.21783",
        licence=NO_LICENCE,
        sha256="0a8311143b9e181cdf65b13dbef6f647a78ea9469d424742876030a3c92e8366",
        address=f"{GITHUB}/eric-czech/llama3_isoflop_extraction/"
        "1bc1755b76e6ee55a911549c8ec52b71cb480320/isoflops_points.csv",
        address_sha256="5675ea68f14be53bd09bf0d65667c0f25668aa82ecc48020864ae371e7a38a8a",
        loss="an unknown unit",
        notes=("losses are normalised in a way that is not stated; N is C / (6 D)",),
        columns=_N_D_C_L,
        renamed={
            "compute_budget": "flops",
            "training_tokens": "tokens",
            "validation_loss": "loss",
        },
        derived={"params": lambda t: t["flops"] / (6 * t["tokens"])},
    ),
    Published(
        name="xlstm_isoflop",
        title="IsoFLOP runs of Llama and mLSTM models; split by architecture or context_length",
        rows=430,
        citation="Beck et al. 2025, arXiv:2510.02228",
        licence=NO_LICENCE,
        sha256="3524bbf3ce2a12463c8ff3271d75f55ed2d12e608f7b2f0790ffc8cfbddd14b4",
        address=f"{GITHUB}/NX-AI/xlstm_scaling_laws/"
        "604bb3062d3a7681bb33e467108cb0a6f81267fc/data/isoflop_llama_ctx16384_wandb_data.pkl",
        address_sha256="1800c9fe374cdc2e31f2f82220f8f6012a0758874db7684e006943434926a5c1",
        loss="nats per token",
        notes=("groups: architecture and context_length; one run diverged (loss 10.8)",),
        views={
            "llama": {"where": ("architecture=llama", "L<5")},
            "mlstm": {"where": ("architecture=mlstm", "L<5")},
        },
        options={"bad_rows": "drop"},  # one run did not finish
        columns=_N_D_L,
    ),
    Published(
        name="steplaw_dense",
        title="Learning rate x batch size in 17 cells of (N, D); N without embeddings",
        rows=1911,
        citation="Li et al. 2025, arXiv:2503.04715",
        licence=NO_LICENCE,
        sha256="b67afe28c3c118cdbc79e2a60f3d77d8ad78baa55158abece2db10beae4b7174",
        address=f"{GITHUB}/step-law/steplaw/"
        "32a8f4cc50247695fb56cc6c9117abdf67c97763/data/dense_lr_bs_loss.csv",
        address_sha256="9e46181076c04d450294d75dfe6f72adc416e231e154a07b337e378f9410002c",
        loss="nats per token",
        notes=("what differs within a cell of (N, D) is the setting of a sweep, not noise",),
        views={"best": {"best_of": "N,D"}},
        columns=_N_D_L,
        renamed={
            "N": "params",
            "D": "tokens",
            "smooth loss": "loss",
            "loss": "loss_last",
            "bs": "batch_size_sequences",
        },
    ),
    Published(
        name="vocab_scaling",
        title="Ten vocabulary sizes, V, N_v and the rest N_nv; negative normalised losses",
        rows=1200,
        citation="Tao et al. 2024, arXiv:2407.13623",
        licence=NO_LICENCE,
        sha256="226f571207ab42ee4605cfc105b4b22926d8ed6dc4097d393ac012d9f609b13a",
        address=f"{GITHUB}/sail-sg/scaling-with-vocab/"
        "6701cc202af8b075a46eef8e9d263b3f2ebe012c/exp_data.csv",
        address_sha256="6571e877469a44cb50b2d05e1fa485587369ee1c47941a4b3b2bfef80496f1b2",
        loss="nats per token, less those of a unigram model",
        notes=("losses are negative; rows of one model are checkpoints, and correlated",),
        views={"approach3": {"where": "in_approach3_fit=1"}},
        columns={
            **_N_D_C_L,
            "N": "params",
            "V": "vocab_size",
            "N_v": "params_vocab",
            "N_nv": "params_non_vocab",
        },
        options={"allow_negative_loss": True},
        renamed={
            "num_characters": "characters",
            "Non_vocab_parameters": "params_non_vocab",
            "FLOPs": "flops",
            "Lossu": "loss",
        },
        derived={
            "params_vocab": lambda t: t["vocab_size"] * t["embed_dim"],
            "params": lambda t: t["params_non_vocab"] + t["params_vocab"],
            "tokens": lambda t: t["flops"] / (6 * t["params"]),
            "in_approach3_fit": lambda t: (t["flops"] >= 2.18e17).astype(int),
        },
    ),
    Published(
        name="gzip_complexity",
        title="Five synthetic grammars of different compressibility; split by dataset",
        rows=150,
        citation="Pandey 2024, arXiv:2405.16684",
        licence="MIT (of the collection, IBM/ColPret)",
        sha256="5a0d3407bd8acf6b97a7e9831335c9303674f50d8135cebbfa7ba0c7c4345b5c",
        address=f"{GITHUB}/IBM/ColPret/"
        "16f23bbe054277ddc4afd07a972dd7cfbe3f48c3/raw_data/gzip/results_new.jsonl",
        address_sha256="2273d445e1f361cde456955f2ed72357ace62ef668193829269cb92c6cab7ada",
        loss="nats per token",
        notes=(
            "groups: dataset",
            "data sets are tiny, and many runs hardly left the loss of a guess, 10.4",
        ),
        columns=_N_D_L,
    ),
    Published(
        name="cerebras_gpt",
        title="Seven models at 20 tokens per parameter",
        rows=7,
        citation="Dey et al. 2023, arXiv:2304.03208",
        licence="Apache-2.0 for the models; the repository states none",
        sha256="438779eba8db7017c833a5ff6c1f5371339a38b3f72b07e0e2189fcd21339c48",
        address=f"{GITHUB}/asgaardlab/model-card-reorganization/"
        "d31e549a624e29062c97981f1c955e93b1220477/verified_model_cards/"
        "cerebras%40Cerebras-GPT-13B/2_original_model_card.md",
        address_sha256="0b2b073053919aa8b7f086f359c82e866f32314774294e7ab6e2c2918c51a230",
        loss="nats per token",
        notes=("N is rounded; losses are the model card's, which differ from the paper's",),
        columns=_N_D_C_L,
    ),
    Published(
        name="clark_routing_moe",
        title="Dense and routed models every 10k steps; keep is_final_step, split by router_type",
        rows=5799,
        citation="Clark et al. 2022, arXiv:2202.01169",
        licence="CC BY 4.0",
        sha256="3b3189437b3f143e96265459d23addfe1d2a0812961fa006cdbe273f45ed689a",
        address=f"{GITHUB}/google-deepmind/scaling_laws_for_routing/"
        "42da0c392b127df2c01fa7b705f72396050d05e5/data/curves.csv.gz",
        address_sha256="c03e7531add85e594f368d33bac4a0220280be858a7ed12d147cf73af6a3819f",
        loss="nats per token",
        notes=("tokens are not given; groups: router_type",),
        views={"finals": {"where": "is_final_step=1"}},
        columns={"N": "params", "L": "loss", "experts": "num_experts"},
        options={"bad_rows": "drop"},  # eight evaluations have no loss
        renamed={"dense_parameter_count": "params", "loss_validation": "loss"},
        derived={
            "is_final_step": lambda t: (
                t["step"] == t.groupby("hyper_id")["step"].transform("max")
            ).astype(int)
        },
    ),
)
