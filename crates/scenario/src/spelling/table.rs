//! The words that people type for those of a scenario.

/// Keys as typed in sections, and the key that they mean.
pub(super) struct Row {
    /// The sections in which they are typed; `""` is the document itself.
    pub sections: &'static [&'static str],
    /// The names, in lower case with `_` between words.
    pub typed: &'static [&'static str],
    /// The key that they mean.
    pub key: &'static str,
    /// The unit of a bare number there.
    pub unit: &'static str,
}

/// A row of the table.
const fn row(
    sections: &'static [&'static str],
    typed: &'static [&'static str],
    key: &'static str,
    unit: &'static str,
) -> Row {
    Row { sections, typed, key, unit }
}

const DEVICE: &[&str] = &[
    "gpu",
    "accelerator",
    "accelerators",
    "device",
    "gpu_type",
    "device_type",
    "accelerator_type",
    "gpu_model",
    "gpu_name",
    "chip",
    "chips",
];
const COUNT: &[&str] = &[
    "gpus",
    "num_gpus",
    "n_gpus",
    "gpu_count",
    "devices",
    "num_devices",
    "n_devices",
    "world_size",
    "num_accelerators",
];
const TENSOR: &[&str] = &[
    "tp",
    "tp_size",
    "tensor_parallel",
    "tensor_parallelism",
    "tensor_parallel_size",
    "tensor_parallel_degree",
    "tensor_model_parallel_size",
];
const PIPELINE: &[&str] = &[
    "pp",
    "pp_size",
    "pipeline_parallel",
    "pipeline_parallelism",
    "pipeline_parallel_size",
    "pipeline_parallel_degree",
    "pipeline_model_parallel_size",
];
const DATA: &[&str] =
    &["dp", "dp_size", "data_parallel", "data_parallelism", "data_parallel_size", "dp_degree"];
const CONTEXT: &[&str] =
    &["cp", "cp_size", "context_parallel", "context_parallelism", "context_parallel_size"];
const EXPERT: &[&str] = &[
    "ep",
    "ep_size",
    "expert_parallel",
    "expert_parallelism",
    "expert_parallel_size",
    "expert_model_parallel_size",
];
const ZERO: &[&str] = &["zero", "zero_stage", "fsdp", "sharding", "strategy", "sharding_strategy"];
const MICRO: &[&str] = &[
    "micro_batch",
    "micro_batch_size",
    "microbatch",
    "mbs",
    "local_batch_size",
    "per_device_batch_size",
    "per_device_train_batch_size",
];
const RECOMPUTE: &[&str] = &[
    "recompute",
    "recomputation",
    "activation_checkpointing",
    "gradient_checkpointing",
    "remat",
    "activation_recomputation",
];
const TOKENS: &[&str] = &[
    "tokens",
    "num_tokens",
    "n_tokens",
    "token_count",
    "total_tokens",
    "dataset_tokens",
    "training_tokens",
    "train_tokens",
];
const SAMPLES: &[&str] = &["samples", "images", "num_samples", "examples", "num_examples"];
const EPOCHS: &[&str] = &["epochs", "num_epochs", "n_epochs", "num_train_epochs"];
const FORMAT: &[&str] = &["dtype", "precision", "mixed_precision", "torch_dtype"];
const RATE: &[&str] = &["rps", "qps", "rate", "requests", "requests_per_second", "request_rate"];
const PROVIDER: &[&str] = &["provider", "cloud", "vendor", "csp"];
const REGION: &[&str] = &["region", "country", "location", "zone"];
const PRICE: &[&str] = &[
    "price",
    "hourly_price",
    "price_per_hour",
    "price_per_gpu_hour",
    "price_per_device_hour",
    "gpu_price",
    "usd_per_hour",
    "usd_per_gpu_hour",
    "gpu_hour_price",
    "cost_per_hour",
];

/// Keys by their other names; what is nearer to the key it means stands first.
pub(super) const KEYS: &[Row] = &[
    row(&[""], &["serving", "service", "serve"], "inference", ""),
    row(&[""], &["train"], "training", ""),
    row(&[""], &["slo"], "inference.slo", ""),
    row(&[""], &["traffic"], "inference.traffic", ""),
    row(&[""], &["dataset"], "data", ""),
    row(&[""], &["model_name", "model_id", "base_model", "hf_model"], "model", ""),
    row(
        &["model"],
        &["params", "num_params", "n_params", "num_parameters", "total", "total_params", "size"],
        "model.parameters",
        "",
    ),
    row(
        &["model"],
        &["active_params", "active_parameters", "activated", "activated_params"],
        "model.active",
        "",
    ),
    row(&["data"], &["size", "dataset_size"], "data.tokens", ""),
    row(&["data", "", "training"], TOKENS, "data.tokens", ""),
    row(&["data", "", "training"], SAMPLES, "data.samples", ""),
    row(&["data", "", "training"], EPOCHS, "data.epochs", ""),
    row(&["placement", "", "training"], PROVIDER, "placement.provider", ""),
    row(&["placement", "", "training"], REGION, "placement.region", ""),
    row(&["placement", "", "training"], PRICE, "placement.purchase.price", " USD/device-h"),
    row(&["training"], &["purchase"], "placement.purchase", ""),
    row(&["inference"], PROVIDER, "inference.placement.provider", ""),
    row(&["inference"], REGION, "inference.placement.region", ""),
    row(&["inference"], PRICE, "inference.placement.purchase.price", " USD/device-h"),
    row(&["inference"], &["purchase"], "inference.placement.purchase", ""),
    row(
        &["placement"],
        &["carbon_intensity", "grid_intensity", "carbon"],
        "placement.grid",
        " gCO2e/kWh",
    ),
    row(&["placement"], &["purchasing", "pricing", "spot", "billing"], "placement.purchase", ""),
    row(&["training", ""], &["start_date", "start"], "placement.start", ""),
    row(&[""], &["hardware"], "training.hardware", ""),
    row(
        &["training.hardware"],
        &["name", "type", "model", "kind"],
        "training.hardware.accelerator",
        "",
    ),
    row(&["training.hardware"], &["num", "n", "number", "quantity"], "training.hardware.count", ""),
    row(&["training.hardware", "training", ""], DEVICE, "training.hardware.accelerator", ""),
    row(&["training.hardware", "training", ""], COUNT, "training.hardware.count", ""),
    row(
        &["inference.hardware"],
        &["name", "type", "model", "kind"],
        "inference.hardware.accelerator",
        "",
    ),
    row(&["inference.hardware", "inference"], DEVICE, "inference.hardware.accelerator", ""),
    row(&["inference.hardware", "inference"], COUNT, "inference.hardware.count", ""),
    row(&[""], &["deadline"], "training.deadline", ""),
    row(&["training", ""], &["mfu"], "training.efficiency.mfu", ""),
    row(&["training"], &["hfu"], "training.efficiency.hfu", ""),
    row(&["training", ""], FORMAT, "training.precision", ""),
    row(
        &["training", ""],
        &[
            "seq_len",
            "seqlen",
            "seq_length",
            "context_length",
            "max_seq_len",
            "max_length",
            "max_seq_length",
            "sequence",
            "context",
            "block_size",
            "ctx_len",
        ],
        "training.sequence_length",
        "",
    ),
    row(
        &["training", ""],
        &[
            "batch",
            "batch_size",
            "global_batch_size",
            "batch_tokens",
            "tokens_per_batch",
            "tokens_per_step",
        ],
        "training.global_batch",
        "",
    ),
    row(&["training"], &["optim"], "training.optimizer", ""),
    row(&["training"], &["lora_rank", "lora_r", "rank"], "training.lora.rank", ""),
    row(&["training.parallelism", "training"], TENSOR, "training.parallelism.tensor", ""),
    row(&["training.parallelism", "training"], PIPELINE, "training.parallelism.pipeline", ""),
    row(&["training.parallelism", "training"], DATA, "training.parallelism.data", ""),
    row(&["training.parallelism", "training"], CONTEXT, "training.parallelism.context", ""),
    row(&["training.parallelism", "training"], EXPERT, "training.parallelism.expert", ""),
    row(&["training.parallelism", "training"], ZERO, "training.parallelism.zero", ""),
    row(&["training.parallelism", "training"], MICRO, "training.parallelism.micro_batch", ""),
    row(&["training.parallelism", "training"], RECOMPUTE, "training.parallelism.recompute", ""),
    row(
        &["inference"],
        &["dtype", "quantization", "quant", "torch_dtype"],
        "inference.precision",
        "",
    ),
    row(&["inference"], &["kv_cache_dtype", "kv_dtype"], "inference.kv_precision", ""),
    row(&["inference"], &["framework", "backend", "server", "runtime"], "inference.engine", ""),
    row(
        &["inference"],
        &["max_num_seqs", "max_batch_size", "batch_size", "max_running_requests"],
        "inference.max_batch",
        "",
    ),
    row(&["inference"], &["max_num_batched_tokens"], "inference.max_batch_tokens", ""),
    row(&["inference.parallelism", "inference"], TENSOR, "inference.parallelism.tensor", ""),
    row(&["inference.parallelism", "inference"], PIPELINE, "inference.parallelism.pipeline", ""),
    row(&["inference.parallelism", "inference"], DATA, "inference.parallelism.data", ""),
    row(&["inference.parallelism", "inference"], EXPERT, "inference.parallelism.expert", ""),
    row(&["inference.traffic", "inference"], RATE, "inference.traffic.requests", "/s"),
    row(
        &["inference.traffic", "inference"],
        &["rpm", "requests_per_minute", "qpm"],
        "inference.traffic.requests",
        "/min",
    ),
    row(
        &["inference.traffic", "inference"],
        &["requests_per_day", "rpd"],
        "inference.traffic.requests",
        "/day",
    ),
    row(
        &["inference.traffic", "inference"],
        &[
            "input_tokens",
            "input",
            "inputs",
            "input_length",
            "input_len",
            "prompt",
            "prompt_tokens",
            "prompt_len",
            "prompt_length",
            "isl",
            "tokens_in",
        ],
        "inference.traffic.input_tokens",
        "",
    ),
    row(
        &["inference.traffic", "inference"],
        &[
            "output_tokens",
            "output",
            "outputs",
            "output_length",
            "output_len",
            "completion_tokens",
            "gen_len",
            "generation_length",
            "max_tokens",
            "osl",
            "tokens_out",
            "generated_tokens",
        ],
        "inference.traffic.output_tokens",
        "",
    ),
    row(&["inference.slo"], &["time_to_first_token"], "inference.slo.ttft", ""),
    row(
        &["inference.slo"],
        &["itl", "time_per_output_token", "inter_token_latency"],
        "inference.slo.tpot",
        "",
    ),
    row(&["inference.slo"], &["latency", "e2e_latency", "end_to_end"], "inference.slo.e2e", ""),
];

/// Keys of which any says that a document is about a run.
pub(super) const RUN: &[&str] = &["data.", "training.efficiency", "training.deadline"];

/// Keys of a service that a document about a service alone may have itself.
pub(super) const SERVED: &[&str] = &[
    "inference.hardware",
    "inference.parallelism",
    "inference.precision",
    "inference.kv_precision",
    "inference.engine",
    "inference.max_batch",
    "inference.max_wait",
    "inference.redundancy",
    "inference.autoscaling",
    "inference.speculative",
    "inference.adapters",
    "inference.prefix_cache_hit",
];

/// Keys that change no figure of a forecast.
pub(super) const UNREAD: &[(&str, &[&str])] = &[
    (
        "training",
        &[
            "lr",
            "learning_rate",
            "min_lr",
            "warmup",
            "warmup_steps",
            "warmup_ratio",
            "weight_decay",
            "lr_scheduler",
            "scheduler",
            "seed",
            "dropout",
            "clip_grad",
            "grad_clip",
            "beta1",
            "beta2",
        ],
    ),
    (
        "inference",
        &["port", "host", "gpu_memory_utilization", "max_model_len", "temperature", "top_p"],
    ),
];

/// Sections that people write as a single value, and the key in them that it means.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("data", "tokens"),
    ("training.efficiency", "mfu"),
    ("training.lora", "rank"),
    ("inference.traffic", "requests"),
    ("inference.slo.ttft", "p95"),
    ("inference.slo.tpot", "p95"),
    ("inference.slo.e2e", "p95"),
    ("inference.traffic.input_tokens", "mean"),
    ("inference.traffic.output_tokens", "mean"),
    ("training.hardware", "accelerator"),
    ("inference.hardware", "accelerator"),
    ("placement", "provider"),
];

/// Keys whose values are words of flopcast's own, in lower case.
pub(super) const WORDS: &[&str] = &[
    "placement.provider",
    "placement.purchase",
    "inference.placement.provider",
    "inference.placement.purchase",
    "training.precision",
    "training.optimizer",
    "training.recipe",
    "training.framework",
    "training.parallelism.recompute",
    "training.parallelism.zero",
    "inference.precision",
    "inference.kv_precision",
    "inference.engine",
    "inference.router",
];

/// Other names of such words, with spaces for what separates their parts.
pub(super) const OTHERWISE: &[(&str, &str)] = &[
    ("amazon", "aws"),
    ("amazon web services", "aws"),
    ("google", "gcp"),
    ("google cloud", "gcp"),
    ("google cloud platform", "gcp"),
    ("microsoft", "azure"),
    ("microsoft azure", "azure"),
    ("oracle", "oci"),
    ("oracle cloud", "oci"),
    ("lambda labs", "lambda"),
    ("lambdalabs", "lambda"),
    ("lambda cloud", "lambda"),
    ("vast ai", "vast"),
    ("vast.ai", "vast"),
    ("ondemand", "on-demand"),
    ("on demand", "on-demand"),
    ("preemptible", "spot"),
    ("true", "spot"),
    ("reserved 1 year", "reserved-1y"),
    ("1 year reserved", "reserved-1y"),
    ("1 year", "reserved-1y"),
    ("1y", "reserved-1y"),
    ("reserved 3 years", "reserved-3y"),
    ("reserved 3 year", "reserved-3y"),
    ("3 year reserved", "reserved-3y"),
    ("3 years", "reserved-3y"),
    ("3y", "reserved-3y"),
    ("tensorrt llm", "trtllm"),
    ("trt llm", "trtllm"),
    ("adam", "adamw"),
    ("adamw torch", "adamw"),
    ("adamw torch fused", "adamw"),
    ("adamw hf", "adamw"),
    ("fused adam", "adamw"),
    ("lora 4bit", "qlora"),
    ("full", "finetune"),
    ("full finetune", "finetune"),
    ("fine tune", "finetune"),
    ("fine tuning", "finetune"),
    ("finetuning", "finetune"),
    ("pretraining", "pretrain"),
    ("pre training", "pretrain"),
    ("pre train", "pretrain"),
    ("float8", "fp8"),
    ("bf16 mixed", "bf16"),
    ("16 mixed", "fp16"),
    ("fp16 mixed", "fp16"),
    ("amp bf16", "bf16"),
];

/// Stages of sharding by the names of those that shard.
pub(super) const SHARDING: &[(&str, &str)] = &[
    ("true", "3"),
    ("false", "0"),
    ("fsdp", "3"),
    ("fsdp2", "3"),
    ("full shard", "3"),
    ("zero3", "3"),
    ("zero 3", "3"),
    ("zero2", "2"),
    ("zero 2", "2"),
    ("shard grad op", "2"),
    ("zero1", "1"),
    ("zero 1", "1"),
    ("ddp", "0"),
    ("none", "0"),
];
