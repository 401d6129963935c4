#!/usr/bin/env bash
CONFIG_FILE=${CONFIG_FILE:-"./train_configs/llama8b.toml"} NGPU=8 ./run_train.sh
torchrun --nproc_per_node=8 --nnodes=2 -m torchtitan.train --job.config_file "$CONFIG_FILE" --training.steps=2000
