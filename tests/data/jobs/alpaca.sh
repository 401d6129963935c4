MODEL_PATH=~/llama-7b
torchrun --nproc_per_node=8 --master_port=41592 train.py \
    --model_name_or_path $MODEL_PATH --data_path ./alpaca_data.json --bf16 True \
    --num_train_epochs 3 --per_device_train_batch_size 4 --gradient_accumulation_steps 4 \
    --fsdp "full_shard auto_wrap" --fsdp_transformer_layer_cls_to_wrap 'LlamaDecoderLayer' --tf32 True --model_max_length 2048
