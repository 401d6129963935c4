#!/bin/bash
IFS=',' read -r FIRST REST <<< "a,b"
read -r -d '' words <<END
openrlhf.cli.train_dpo --pretrain meta-llama/Llama-3.1-8B-Instruct \
   --train_batch_size 128 --micro_train_batch_size 2 --max_len 4096 --max_epochs 1 \
   --zero_stage 2 --param_dtype bf16 --beta 0.1
END
if [[ ${1} != "slurm" ]]; then
    deepspeed --num_gpus 8 --module $words
fi
