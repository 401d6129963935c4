export LIBTPU_INIT_ARGS=--xla_enable_async_all_gather=true
python3 -m MaxText.train MaxText/configs/base.yml run_name=moe model_name=mixtral-8x7b per_device_batch_size=4 \
  max_target_length=4096 steps=1000 ici_fsdp_parallelism=-1 dataset_type=synthetic remat_policy=full dtype=bfloat16
