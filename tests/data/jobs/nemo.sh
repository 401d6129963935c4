nemo llm pretrain --factory llama3_8b trainer.num_nodes=2 trainer.devices=8 trainer.max_steps=1000 \
  data.global_batch_size=512 data.micro_batch_size=1 data.seq_length=8192 \
  trainer.strategy.tensor_model_parallel_size=1 trainer.strategy.context_parallel_size=2 -y
