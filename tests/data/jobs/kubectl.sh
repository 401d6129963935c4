#!/bin/bash
MODEL=${MODEL:-google/gemma-3-27b-it}
kubectl apply -n serving -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: gemma}
spec:
  replicas: 3
  selector: {matchLabels: {app: gemma}}
  template:
    spec:
      nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
      containers:
        - name: server
          image: vllm/vllm-openai:latest
          args: ["--model=$MODEL", "--tensor-parallel-size=4"]
          resources: {limits: {nvidia.com/gpu: 4}}
YAML
