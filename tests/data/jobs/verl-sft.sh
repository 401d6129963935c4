torchrun --standalone --nnodes=1 --nproc_per_node=8 -m verl.trainer.fsdp_sft_trainer \
  data.train_files=$HOME/sft.parquet data.train_batch_size=256 data.max_length=2048 \
  model.partial_pretrain=Qwen/Qwen2.5-3B-Instruct trainer.project_name=sft trainer.total_epochs=2 $@
