"""Distils timed matrix products into four numbers per device and format.

A developer's tool; nothing is built with it. Needs numpy, pandas, pyarrow, scipy and the data of
aiconfigurator-core (Apache-2.0, NVIDIA):

    pip download --no-deps aiconfigurator-core==0.12.0 && unzip aiconfigurator_core-*.whl
    python distil.py aiconfigurator_core/systems/data > gemm.csv

    latency = ((FLOPs / (peak a))^c + (bytes / (bandwidth b))^c)^(1/c) + t

is fitted on logarithms to the fastest engine of every shape: engines differ in kernels, a user is
served by the best that is known. `median` and `p90` are the errors that remain.
"""

import glob
import sys

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

# Folder, name in the catalog, architecture; dense peaks of 16, 8 and 4 bits in TFLOP/s; TB/s.
DEVICES = [
    ("a100_sxm", "a100-sxm-80gb", "Ampere", 312, None, None, 2.039),
    ("h100_sxm", "h100-sxm", "Hopper", 989.4, 1979, None, 3.35),
    ("h200_sxm", "h200-sxm", "Hopper", 989.4, 1979, None, 4.8),
    ("b200_sxm", "b200-sxm", "Blackwell", 2250, 4500, 9000, 7.7),
    ("gb200", "gb200", "Blackwell (per GPU)", 2500, 5000, 10000, 8.0),
    ("b300_sxm", "b300-sxm", "Blackwell Ultra", 2250, 4500, 13500, 7.7),
    ("gb300", "gb300", "Blackwell Ultra (per GPU)", 2500, 5000, 15000, 8.0),
    ("l40s", "l40s", "Ada", 362, 733, None, 0.864),
    ("rtx_pro_6000_server", "rtx-pro-6000-se", "Blackwell GB202", 503.8, 1007.6, 2015.2, 1.792),
]
FORMATS = [("bf16", "bfloat16", 2.0, 2.0), ("fp8", "fp8", 1.0, 2.0), ("fp4", "nvfp4", 0.5, 2.0)]


def fit(rows, peak, bandwidth, width, out):
    m, n, k = (rows[c].to_numpy(float) for c in "mnk")
    seconds = rows.latency.to_numpy() / 1e3
    flops, moved = 2 * m * n * k, width * (m * k + k * n) + out * m * n

    def error(x):
        a, b, t, c = np.exp(x)
        fast, wide = flops / (peak * a), moved / (bandwidth * b)
        return np.log(((fast**c + wide**c) ** (1 / c) + t) / seconds)

    # A share of a datasheet is about 1 at most; a corner below 1 would be more than a sum.
    least, most = np.log([0.1, 0.1, 1e-7, 1.0]), np.log([1.05, 1.1, 1e-4, 6.0])
    start = np.log([0.7, 0.8, 4e-6, 2.0])
    found = least_squares(error, start, bounds=(least, most), loss="soft_l1", f_scale=0.1)
    left = np.abs(np.expm1(error(found.x)))
    return np.exp(found.x), np.median(left), np.quantile(left, 0.9)


def main(root):
    print("device,architecture,format,rows,share_of_peak,share_of_bandwidth,latency_us,corner,median,p90")
    for folder, name, architecture, *peaks, bandwidth in DEVICES:
        files = glob.glob(f"{root}/{folder}/gemm/*/*/gemm_perf.parquet")
        every = pd.concat(map(pd.read_parquet, sorted(files)))
        for (label, dtype, width, out), peak in zip(FORMATS, peaks):
            rows = every[(every.gemm_dtype == dtype) & (every.latency > 0)]
            # What training and prompts run: a decode's few rows are bound by memory alone.
            rows = rows[(rows.m >= 64) & (rows.n >= 256) & (rows.k >= 256)]
            if peak is None or rows.empty:
                continue
            rows = rows.groupby(["m", "n", "k"]).latency.min().reset_index()
            (a, b, t, c), median, p90 = fit(rows, peak * 1e12, bandwidth * 1e12, width, out)
            numbers = f"{a:.4f},{b:.4f},{t * 1e6:.3f},{c:.3f},{median:.3f},{p90:.3f}"
            print(f"{name},{architecture},{label},{len(rows)},{numbers}")


if __name__ == "__main__":
    main(sys.argv[1])
