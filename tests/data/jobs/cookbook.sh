torchrun --nnodes 1 --nproc_per_node 4 finetuning.py --enable_fsdp --use_peft --peft_method lora --pure_bf16 \
  --model_name meta-llama/Llama-3.1-8B-Instruct --batch_size_training 4 --context_length 4096 --num_epochs 2 --dataset samsum_dataset
