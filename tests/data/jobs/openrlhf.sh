deepspeed --module openrlhf.cli.train_sft --max_len 4096 --dataset Open-Orca/OpenOrca --train_batch_size 256 \
   --micro_train_batch_size 2 --max_samples 500000 --pretrain meta-llama/Meta-Llama-3-8B --zero_stage 2 \
   --max_epochs 1 --bf16 --flash_attn --gradient_checkpointing --learning_rate 5e-6
