#!/usr/bin/env bash
cat > /tmp/options.yml <<EOF
enable_attention_dp: false
kv_cache_config: {dtype: fp8, free_gpu_memory_fraction: 0.9}
cuda_graph_config: {max_batch_size: 64}
EOF
mpirun -n 8 trtllm-serve meta-llama/Llama-3.3-70B-Instruct --tp_size 8 --max_batch_size 64 --extra_llm_api_options /tmp/options.yml
