NPROC_PER_NODE=4 CUDA_VISIBLE_DEVICES=0,1,2,3 swift sft \
  --model Qwen/Qwen2.5-7B-Instruct --train_type lora --dataset 'self.jsonl#20000' \
  --torch_dtype bfloat16 --num_train_epochs 1 --per_device_train_batch_size 2 \
  --gradient_accumulation_steps 8 --lora_rank 8 --target_modules all-linear --max_length 4096 --output_dir out
