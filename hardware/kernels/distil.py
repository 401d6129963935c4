"""Distils timed kernels into a few numbers per device and format.

A developer's tool; nothing is built with it. Needs numpy, pandas, pyarrow, scipy and the data of
aiconfigurator-core (Apache-2.0, NVIDIA):

    pip download --no-deps aiconfigurator-core==0.12.0 && unzip aiconfigurator_core-*.whl
    python distil.py aiconfigurator_core/systems/data hardware/kernels [gemm attention experts collectives]

Products, attention and experts bend from one limit to the other:

    latency = ((FLOPs / (peak a))^c + (bytes / (bandwidth b))^c)^(1/c) + t

Grouped products of experts of inner width w (a device's share) over a residual stream of width d, m
rows each, take more arithmetic than that, move the rows to their expert and back, and sum up the
results of n tokens:

    FLOPs (1 + ragged / m) (1 + narrow / w) (1 + shallow / d)
    + (moves x 2 rows (2 d + 3 w) + sums x 2 n d) bytes / bandwidth

A collective sends its part of the data over a link, latency = (t^c + (sent / (link a))^c)^(1/c).

All are fitted on logarithms to the fastest engine of every shape: engines differ in kernels, a user is
served by the best that is known. `median` and `p90` are the errors that remain, `left_out` and
`left_out_p90` those of fits that have not seen the shape: whole groups of shapes are left out, a
fifth at a time.
"""

import glob
import sys
import zlib

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

# Folder, name in the catalog, architecture; dense peaks of 16, 8 and 4 bits in TFLOP/s; TB/s; TB/s of a
# link in one direction.
DEVICES = [
    ("a100_sxm", "a100-sxm-80gb", "Ampere", 312, None, None, 2.039, 0.3),
    ("h100_sxm", "h100-sxm", "Hopper", 989.4, 1979, None, 3.35, 0.45),
    ("h200_sxm", "h200-sxm", "Hopper", 989.4, 1979, None, 4.8, 0.45),
    ("b200_sxm", "b200-sxm", "Blackwell", 2250, 4500, 9000, 7.7, 0.9),
    ("gb200", "gb200", "Blackwell (per GPU)", 2500, 5000, 10000, 8.0, 0.9),
    ("b300_sxm", "b300-sxm", "Blackwell Ultra", 2250, 4500, 13500, 7.7, 0.9),
    ("gb300", "gb300", "Blackwell Ultra (per GPU)", 2500, 5000, 15000, 8.0, 0.9),
    ("l40s", "l40s", "Ada", 362, 733, None, 0.864, 0.032),
    ("rtx_pro_6000_server", "rtx-pro-6000-se", "Blackwell GB202", 503.8, 1007.6, 2015.2, 1.792, 0.064),
]
# Name; that of the data; bytes of an operand with its scales; bytes of a result.
FORMATS = [("bf16", "bfloat16", 2.0, 2.0), ("fp8", "fp8", 1.0, 2.0), ("fp4", "nvfp4", 0.5, 2.0)]

# A share of a datasheet is about 1 at most; a corner below 1 is more than a sum.
SHARE, BANDWIDTH = (0.6, 0.03, 1.1), (0.8, 0.1, 1.1)
LATENCY, CORNER = (4e-6, 1e-7, 1e-3), (2.0, 1.0, 6.0)
FOLDS = 5


def bent(fast, wide, corner):
    return (fast**corner + wide**corner) ** (1 / corner)


def fit(bounds, time, seconds, groups):
    """Constants within their (start, least, most), and errors of rows seen and left out."""
    start, least, most = np.log(np.array(bounds)).T
    fold = np.array([zlib.crc32(str(g).encode()) % FOLDS for g in groups])

    def error(x, rows):
        return np.log(time(np.exp(x), rows) / seconds[rows])

    def run(rows):
        return least_squares(error, start, bounds=(least, most), loss="soft_l1", f_scale=0.1, args=(rows,)).x

    every = np.arange(len(seconds))
    found = run(every)
    seen = np.abs(np.expm1(error(found, every)))
    parts = [every[fold == i] for i in range(FOLDS)]
    left = [np.abs(np.expm1(error(run(every[fold != i]), p))) for i, p in enumerate(parts) if len(p)]
    left = np.concatenate(left)
    quantiles = [np.quantile(of, q) for of in (seen, left) for q in (0.5, 0.9)]
    return np.exp(found), ",".join(f"{q:.3f}" for q in quantiles)


def read(root, folder, path):
    files = sorted(glob.glob(f"{root}/{folder}/{path}"))
    return pd.concat(map(pd.read_parquet, files)) if files else pd.DataFrame()


def fastest(rows, keys):
    """The fastest engine of every shape: columns as floats, and seconds."""
    rows = rows[rows.latency > 0].groupby(keys).latency.min().reset_index()
    return [rows[key].to_numpy(float) for key in keys], rows.latency.to_numpy() / 1e3


def cold(moved):
    """Too little to matter, or more than any cache of a chip holds."""
    return (moved < 4e6) | (moved > 2.5e8)


def numbers(values, micro=()):
    text = [f"{1e6 * v:.3f}" if i in micro else f"{v:.4g}" for i, v in enumerate(values)]
    return ",".join(text)


ERRORS = "median,p90,left_out,left_out_p90"


def gemm(root):
    yield f"device,architecture,format,rows,share_of_peak,share_of_bandwidth,latency_us,corner,{ERRORS}"
    for folder, name, architecture, *peaks, bandwidth, _ in DEVICES:
        every = read(root, folder, "gemm/*/*/gemm_perf.parquet")
        for (label, dtype, width, out), peak in zip(FORMATS, peaks):
            rows = every[every.gemm_dtype == dtype]
            # What training and prompts run: a decode's few rows are bound by memory alone.
            rows = rows[(rows.m >= 64) & (rows.n >= 256) & (rows.k >= 256)]
            if peak is None or rows.empty:
                continue
            (m, n, k), seconds = fastest(rows, ["m", "n", "k"])
            flops, moved = 2 * m * n * k, width * (m * k + k * n) + out * m * n

            def time(x, i):
                a, b, t, c = x
                return bent(flops[i] / (1e12 * peak * a), moved[i] / (1e12 * bandwidth * b), c) + t

            x, errors = fit([SHARE, BANDWIDTH, LATENCY, CORNER], time, seconds, zip(n, k))
            yield f"{name},{architecture},{label},{len(seconds)},{numbers(x, (2,))},{errors}"


def attention(root):
    """Flash kernels of prompts (causal; half of the square counts) and of decode steps, plain and over
    a latent (512 + 64 numbers a token). A cache that a timing loop finds in the cache of the chip is
    no cache that an engine reads, so that decode steps of a middling size are left out."""
    yield f"device,architecture,kind,format,head_dim,rows,share_of_peak,share_of_bandwidth,latency_us,corner,{ERRORS}"
    for folder, name, architecture, *peaks, bandwidth, _ in DEVICES:
        prompts = read(root, folder, "attention/*/*/context_attention_perf.parquet")
        decodes = read(root, folder, "attention/*/*/generation_attention_perf.parquet")
        latent = [read(root, folder, f"mla/*/*/{kind}_mla_perf.parquet") for kind in ("context", "generation")]
        for (label, dtype, width, _), peak in list(zip(FORMATS, peaks))[:2]:
            if peak is None:
                continue
            cases = []
            for head in (64, 128, 256):
                keys = ["batch_size", "isl", "num_heads", "num_key_value_heads"]
                rows = prompts[(prompts.head_dim == head) & (prompts.attn_dtype == dtype)]
                rows = rows[(rows.window_size.fillna(0) == 0) & (rows.step == 0)]
                (b, s, h, kv), seconds = fastest(rows, keys)
                flops = 2 * b * h * head * s * s
                moved = 2 * b * s * head * (2 * h + 2 * kv)
                cases.append(("prefill", head, flops, moved, seconds, list(zip(h, kv)), flops > 1e9))
                rows = decodes[(decodes.head_dim == head) & (decodes.kv_cache_dtype == dtype)]
                if "window_size" in rows:
                    rows = rows[rows.window_size.fillna(0) == 0]
                (b, s, h, kv), seconds = fastest(rows, ["batch_size", "step", "num_heads", "num_key_value_heads"])
                kv = np.where(kv == 0, h, kv)
                flops, moved = 4 * b * h * head * s, 2 * width * b * s * kv * head
                cases.append(("decode", head, flops, moved, seconds, list(zip(h, kv)), cold(moved)))
            for kind, rows in zip(("latent-prefill", "latent-decode"), latent):
                if rows.empty:
                    continue
                rows = rows[rows.kv_cache_dtype == dtype]
                length = "isl" if kind == "latent-prefill" else "step"
                (b, s, h), seconds = fastest(rows, ["batch_size", length, "num_heads"])
                if kind == "latent-prefill":
                    flops, moved = b * h * (192 + 128) * s * s, 2 * b * s * h * (2 * 192 + 2 * 128)
                    cases.append((kind, 192, flops, moved, seconds, list(h), flops > 1e9))
                else:
                    flops, moved = 2 * b * h * s * (576 + 512), width * b * s * 576
                    cases.append((kind, 576, flops, moved, seconds, list(h), cold(moved)))
            for kind, head, flops, moved, seconds, groups, large in cases:
                if large.sum() < 100:
                    continue
                flops, moved, seconds = flops[large], moved[large], seconds[large]
                groups = [g for g, keep in zip(groups, large) if keep]
                # Narrow caches are multiplied in 16 bits by most kernels.
                rate = 1e12 * (peaks[0] if kind.endswith("decode") else peak)

                def time(x, i):
                    a, b, t, c = x
                    return bent(flops[i] / (rate * a), moved[i] / (1e12 * bandwidth * b), c) + t

                x, errors = fit([SHARE, BANDWIDTH, LATENCY, CORNER], time, seconds, groups)
                yield f"{name},{architecture},{kind},{label},{head},{len(seconds)},{numbers(x, (2,))},{errors}"


def experts(root):
    """Routed experts with a gate, permutation and sum included, balanced loads: the grouped products of
    CUTLASS, which only one of the engines times on all shapes."""
    fitted = "share_of_peak,share_of_bandwidth,latency_us,corner,ragged_rows,narrow_width,shallow_width,moves,sums"
    yield f"device,architecture,format,rows,{fitted},skewed,{ERRORS}"
    keys = ["num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size"]
    for folder, name, architecture, *peaks, bandwidth, _ in DEVICES:
        every = read(root, folder, "moe/trtllm/*/moe_perf.parquet")
        every = every[~every.kernel_source.str.contains("nongated")]
        for (label, dtype, width, _), peak in zip(FORMATS, peaks):
            rows = every[every.moe_dtype == dtype]
            if peak is None or rows.empty:
                continue

            def shapes(distribution):
                (n, d, w, top, count, tp, ep), seconds = fastest(rows[rows.distribution == distribution], keys)
                local, width = count / ep, w / tp
                routed = n * top / ep
                keep = (routed / local >= 16) & (width >= 256)
                return np.array([d, width, routed, local, count, ep, top, n])[:, keep], seconds[keep]

            (d, w, routed, local, count, _, top, n), seconds = shapes("balanced")
            if len(seconds) < 100:
                continue
            weights = 3 * local * d * w * width

            def time(x, i):
                a, b, t, c, ragged, narrow, shallow, moves, sums = x
                flops = 6 * routed[i] * d[i] * w[i] * (1 + ragged * local[i] / routed[i])
                flops = flops * (1 + narrow / w[i]) * (1 + shallow / d[i])
                rows = moves * 2 * routed[i] * (2 * d[i] + 3 * w[i]) + sums * 2 * n[i] * d[i]
                return bent(flops / (1e12 * peak * a), weights[i] / (1e12 * bandwidth * b), c) + t + rows / (1e12 * bandwidth)

            bounds = [SHARE, BANDWIDTH, (3e-5, 1e-7, 1e-3), CORNER, (64, 0.1, 1000), (200, 1, 2000), (100, 1, 2000), (1, 0.01, 10), (3, 0.01, 20)]
            x, errors = fit(bounds, time, seconds, zip(d, w, top, count))
            # How much longer the busiest of 8 ranks takes where loads follow a power law.
            table = {tuple(key): s for key, s in zip(shapes("balanced")[0].T, seconds)}
            skewed, slow = shapes("power_law_1.01")
            ratios = [s / table[tuple(key)] for key, s in zip(skewed.T, slow) if tuple(key) in table and key[5] == 8 and key[2] / key[3] >= 256]
            ratio = np.median(ratios) if ratios else np.nan
            yield f"{name},{architecture},{label},{len(seconds)},{numbers(x, (2,))},{ratio:.3f},{errors}"


def collectives(root):
    """NCCL, and the all-reduces that inference engines write for short messages; 16 bits. Sizes of the
    data are in elements. A ring sends (n-1)/n of the data, twice for an all-reduce."""
    yield f"device,architecture,operation,ranks,rows,share_of_link,latency_us,corner,{ERRORS}"
    for folder, name, architecture, *_, link in DEVICES:
        nccl = read(root, folder, "comm/nccl/*/nccl_perf.parquet")
        nccl = nccl[nccl.nccl_dtype == "half"]
        own = read(root, folder, "comm/*/*/custom_allreduce_perf.parquet")
        own = own[own.allreduce_dtype.isin(["half", "bfloat16", "float16"])].assign(op_name="custom_all_reduce")
        every = pd.concat([nccl, own])
        for operation in ("all_reduce", "all_gather", "reduce_scatter", "alltoall", "custom_all_reduce"):
            for ranks in (2, 4, 8):
                rows = every[(every.op_name == operation) & (every.num_gpus == ranks)]
                if rows.empty:
                    continue
                (size,), seconds = fastest(rows, ["message_size"])
                sent = 2 * size * (ranks - 1) / ranks * (2 if operation.endswith("reduce") else 1)

                def time(x, i):
                    a, t, c = x
                    return bent(sent[i] / (1e12 * link * a), t + 0 * sent[i], c)

                bounds = [(0.6, 0.005, 1.1), LATENCY, (1.0, 0.3, 6.0)]
                x, errors = fit(bounds, time, seconds, size)
                yield f"{name},{architecture},{operation},{ranks},{len(seconds)},{numbers(x, (1,))},{errors}"


KINDS = {f.__name__: f for f in (gemm, attention, experts, collectives)}


def main(root, folder, *kinds):
    for kind in kinds or KINDS:
        lines = [line for line in KINDS[kind](root)]
        with open(f"{folder}/{kind}.csv", "w") as file:
            file.write("\n".join(lines) + "\n")
        print("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
