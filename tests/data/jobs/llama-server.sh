#!/bin/sh
exec llama-server -hf bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M -c 8192 -np 4 -ngl 99 --host 0.0.0.0 --port 8080
