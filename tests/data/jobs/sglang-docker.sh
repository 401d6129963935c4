export model=Qwen/QwQ-32B tp=2
docker run --gpus '"device=0,1"' --ipc=host -p 30000:30000 -v hub:/hub --env HF_HOME=/hub \
  lmsysorg/sglang:latest bash -c "python3 -m sglang.launch_server --model-path ${model} --tp ${tp} --quantization fp8 --host 0.0.0.0"
