deepspeed --num_gpus 8 --num_nodes 4 train.py --deepspeed zero3.json --model_name_or_path bigscience/bloom-7b1 \
  --per_device_train_batch_size 2 --gradient_accumulation_steps 4 --max_seq_length 2048 --max_steps 300 --fp16
