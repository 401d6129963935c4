nemo llm finetune --factory llama3_70b peft.dim=16 performance_mode=True trainer.num_nodes=1 trainer.devices=8 \
  data.seq_length=4096 data.micro_batch_size=1 data.global_batch_size=32 trainer.max_steps=100 \
  trainer.strategy.tensor_model_parallel_size=2 trainer.strategy.pipeline_model_parallel_size=4 -y
