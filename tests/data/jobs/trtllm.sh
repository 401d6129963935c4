trtllm-serve nvidia/Llama-3.3-70B-Instruct-FP8 --backend pytorch --tp_size 4 --max_batch_size 1024 --max_num_tokens 8192
