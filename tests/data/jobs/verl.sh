set -x
python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo data.train_files=$HOME/data/gsm8k/train.parquet \
    data.train_batch_size=1024 data.max_prompt_length=512 data.max_response_length=1024 \
    actor_rollout_ref.model.path=Qwen/Qwen2-7B-Instruct actor_rollout_ref.actor.ppo_mini_batch_size=256 \
    actor_rollout_ref.rollout.n=5 actor_rollout_ref.model.enable_gradient_checkpointing=True \
    trainer.n_gpus_per_node=8 trainer.nnodes=1 trainer.total_epochs=15 $@
