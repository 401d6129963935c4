export CUDA_VISIBLE_DEVICES=0,1,2,3,4,5,6,7
swift rlhf --rlhf_type dpo --model Qwen/Qwen3-8B --train_type full --dataset pairs.jsonl \
  --torch_dtype bfloat16 --max_steps 800 --per_device_train_batch_size 1 --gradient_accumulation_steps 4 \
  --max_length 2048 --deepspeed zero3
