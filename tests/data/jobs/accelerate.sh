accelerate launch --config_file accelerate.yaml sft.py --model_name_or_path google/gemma-2-9b \
  --per_device_train_batch_size 1 --gradient_accumulation_steps 8 --max_seq_length 4096 --max_steps 100
