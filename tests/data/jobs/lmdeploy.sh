lmdeploy serve api_server Qwen/Qwen2.5-32B-Instruct-AWQ --tp 2 --session-len 16384 --model-format awq --server-port 23333
