trl sft --model_name_or_path Qwen/Qwen2.5-0.5B --dataset_name trl-lib/Capybara --max_length 2048 \
    --per_device_train_batch_size 8 --gradient_accumulation_steps 2 --max_steps 1000 --bf16 true \
    --output_dir out
