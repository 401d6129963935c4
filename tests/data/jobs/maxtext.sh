python3 -m MaxText.train MaxText/configs/base.yml model_name=llama2-70b per_device_batch_size=4 \
  max_target_length=4096 steps=30 remat_policy=full ici_fsdp_parallelism=-1 dataset_type=synthetic \
  base_output_directory=gs://bucket run_name=test enable_checkpointing=false
