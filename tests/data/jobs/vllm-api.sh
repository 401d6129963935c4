export CUDA_VISIBLE_DEVICES=0,1
MODEL=${MODEL:-Qwen/Qwen2.5-72B-Instruct-AWQ}
python -m vllm.entrypoints.openai.api_server --model $MODEL -tp 2 --quantization awq --dtype half --port 8000
