# mica benchmark and the tool that writes models for it.
. "$(dirname -- "$0")/lib"
make=$BUILD/bench_make_model
[ -x "$make" ] || { skip benchmark "bench_make_model is not built" && finish; }

for bits in 4 8 16; do
    check "make_$bits" "$make" --shape tiny --bits $bits --out "$tmp/b$bits" >"$tmp/made"
done
check made_llama "$make" --shape llama-3.2-1b --layers 1 --hidden 256 --intermediate 512 --heads 4 --kv-heads 2 --vocab 500 \
    --bits 3 --group-size 32 --out "$tmp/llama" >"$tmp/made"
check made_qwen2 "$make" --shape qwen2.5-0.5b --layers 1 --hidden 256 --intermediate 512 --heads 4 --kv-heads 2 --vocab 500 \
    --out "$tmp/qwen2" >"$tmp/made"
for model in llama qwen2; do
    mica benchmark --model "$tmp/$model" -p 5 -g 3 -n 1
    check "runs_$model" [ "$code" = 0 ]
done

mica benchmark --model "$tmp/b4" --prompt-tokens 16 --generation-tokens 8 --num-trials 2 --threads 1
check exit_code [ "$code" = 0 ]
number='[0-9]+\.[0-9]{3}'
figures="prompt_tps=$number, generation_tps=$number, peak_memory_gb=$number, total_time=$number, load_s=$number, bytes_per_token=[0-9]+\$"
check warmup says '^Running warmup\.\.$'
check timing says '^Timing with prompt_tokens=16, generation_tokens=8, batch_size=1'
check trials [ "$(grep -cE "^Trial [12]:  $figures" "$tmp/out")" = 2 ]
check averages says "^Averages: $figures"
check bandwidth says 'decode reached [0-9.]+% of the bandwidth$'
check finite sh -c '! grep -qiE "nan|inf" "$1"' sh "$tmp/out"

mica benchmark --model "$tmp/b4" -p 16 -g 8 -n 2 --json
check json_only sh -c 'head -c 1 "$1" | grep -q "{" && tail -n 1 "$1" | grep -q "^}$"' sh "$tmp/out"
for key in prompt_tps generation_tps peak_memory_gb load_s bytes_per_token bandwidth_fraction bandwidth_gb_s threads isa; do
    check "json_$key" says "\"$key\": "
done
mica benchmark --model "$tmp/b8" -p 16 -g 8 -n 1 --precision both
check both says '^int8 over exact: prompt_tps x[0-9.]+, generation_tps x[0-9.]+$'
mica benchmark --model "$tmp/b8" -p 16 -g 8 -n 1 --precision both --json
check both_json says '"int8_over_exact": '
mica benchmark --model "$tmp/b16" -p 4 -g 1 -n 1
check one_token [ "$code" = 0 ]
fails batch "--batch-size: several sequences at once do not exist yet" benchmark --model "$tmp/b4" --batch-size 2
fails prompt_tokens "--prompt-tokens: 0" benchmark --model "$tmp/b4" -p 0
finish
