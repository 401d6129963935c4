litgpt finetune_lora meta-llama/Llama-3.2-3B-Instruct --data Alpaca2k --devices 4 --precision bf16-true \
  --lora_r 16 --train.global_batch_size 64 --train.micro_batch_size 4 --train.max_seq_length 1024 --train.max_steps 2000
