set -x
ray job submit --address="http://127.0.0.1:8265" --runtime-env-json='{"working_dir": "/openrlhf"}' \
  -- python3 -m openrlhf.cli.train_ppo_ray --actor_num_nodes 2 --actor_num_gpus_per_node 8 \
  --pretrain meta-llama/Llama-3.1-8B-Instruct --advantage_estimator group_norm --colocate_all_models \
  --vllm_num_engines 8 --vllm_tensor_parallel_size 2 --train_batch_size 256 --rollout_batch_size 256 \
  --n_samples_per_prompt 8 --max_samples 50000 --generate_max_len 2048 --prompt_max_len 1024 --zero_stage 3 --bf16
