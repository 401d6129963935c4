accelerate launch --config_file zero3.yaml --num_processes 8 src/open_r1/grpo.py \
  --model_name_or_path Qwen/Qwen2.5-1.5B-Instruct --dataset_name AI-MO/NuminaMath-TIR \
  --max_prompt_length 512 --max_completion_length 1024 --num_generations 16 \
  --per_device_train_batch_size 16 --gradient_accumulation_steps 4 --num_train_epochs 1 \
  --learning_rate 1.0e-06 --bf16 true --use_vllm true --vllm_gpu_memory_utilization 0.7 \
  --gradient_checkpointing true --logging_steps 10 --save_strategy epoch --output_dir data/out
