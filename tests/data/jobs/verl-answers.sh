python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo data.train_batch_size=256 data.max_response_length=2048 \
  +actor_rollout_ref.model.override_config.attention_dropout=0.0 actor_rollout_ref.model.path=Qwen/Qwen3-8B \
  actor_rollout_ref.actor.strategy=fsdp2 actor_rollout_ref.rollout.n=8 trainer.nnodes=2 trainer.n_gpus_per_node=8 trainer.total_training_steps=100
