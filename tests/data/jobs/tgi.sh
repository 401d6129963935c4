model=meta-llama/Llama-3.1-70B-Instruct
docker run --gpus all --shm-size 1g -p 8080:80 -v $PWD/data:/data -e HF_TOKEN=$HF_TOKEN \
  ghcr.io/huggingface/text-generation-inference:3.3 \
  --model-id $model --num-shard 4 --max-input-tokens 8192 --max-total-tokens 12288
