#!/bin/bash
python scripts/performance/setup_experiment.py --account x --partition y --gpu h100 \
  --model_family_name llama --model_recipe_name llama3_70b -ng 64 -gn 8 -c fp8_cs \
  -tp 4 -pp 8 -vp 5 -mb 1 -gb 128 --max_steps 50 --container_image nemo
