#!/bin/bash
NODES=${1:-16}
LAUNCH=(--nnodes $NODES --nproc_per_node 8 --rdzv_backend c10d)
SHAPE=(
  --num-layers 48 --hidden-size 6144 --ffn-hidden-size 16384
  --num-attention-heads 48 --group-query-attention --num-query-groups 8
  --swiglu --untie-embeddings-and-output-weights --vocab-size 131072
)
RUN=(
  --seq-length 4096 --micro-batch-size 1 --global-batch-size 1024
  --train-iters 100000 --bf16 --lr 2e-4
)
LAYOUT=(--tensor-model-parallel-size 4 --pipeline-model-parallel-size 2 --sequence-parallel --use-distributed-optimizer)
if [ "${FP8:-1}" = 1 ]; then
  RUN+=("--fp8-format hybrid" "--fp8-param-gather")
fi
torchrun "${LAUNCH[@]}" pretrain_gpt.py ${SHAPE[@]} ${RUN[@]} ${LAYOUT[@]} --data-path "$DATA" 2>&1 | tee log
