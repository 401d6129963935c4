vllm serve deepseek-ai/DeepSeek-R1 --tensor-parallel-size 8 --pipeline-parallel-size 2 --max-num-seqs 256 \
  --max-model-len 65536 --gpu-memory-utilization 0.95 --trust-remote-code --enable-expert-parallel
