deepspeed --num_nodes 2 --num_gpus 8 train.py --model_name_or_path facebook/opt-13b --deepspeed --deepspeed_config ds_z2.json --max_seq_len 2048 --num_train_epochs 1 --learning_rate 1e-5
