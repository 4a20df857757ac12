# mica convert, on a small model with random weights: what it writes loads and computes.
. "$(dirname -- "$0")/lib"
make=$BUILD/bench_make_model
[ -x "$make" ] || { skip convert "bench_make_model is not built" && finish; }

"$make" --shape tiny --bits 16 --out "$tmp/bf16" >/dev/null || { not_ok make_model && finish; }
logits() { mica logits --model "$1" --tokens 1,2,3,4,5 --greedy 4 --out "$tmp/$2.safetensors"; }
logits "$tmp/bf16" bf16
check loads_bf16 [ "$code" = 0 -a -s "$tmp/bf16.safetensors" ]

for bits in 2 3 4 5 6 8; do
    mica convert --hf-path "$tmp/bf16" --mlx-path "$tmp/q$bits" -q --q-bits $bits
    check "quantizes_$bits" says '^\[INFO\] Quantized model with [0-9]+\.[0-9]{3} bits per weight\.$'
    logits "$tmp/q$bits" q
    check "loads_$bits" [ "$code" = 0 ]
done
for group in 32 128; do
    mica convert --model "$tmp/bf16" --mlx-path "$tmp/g$group" --quantize --q-group-size $group
    logits "$tmp/g$group" g
    check "group_$group" [ "$code" = 0 ]
done
mica convert --hf-path "$tmp/bf16" --mlx-path "$tmp/q" -q
check first_line [ "$(head -n 1 "$tmp/out")" = "[INFO] Loading" ]
check dtype_line says '^\[INFO\] Using dtype: bfloat16$'
check quantizing_line says '^\[INFO\] Quantizing$'
check config grep -q '"quantization"' "$tmp/q/config.json"
check index [ -s "$tmp/q/model.safetensors.index.json" ]
check smaller [ "$(wc -c <"$tmp/q/model.safetensors")" -lt "$(($(wc -c <"$tmp/bf16/model.safetensors") / 3))" ]

# The same again gives the same bytes; a quantized model can be turned back; a copy without options keeps the weights.
mica convert --hf-path "$tmp/bf16" --mlx-path "$tmp/again" -q
check repeatable same "$tmp/q/model.safetensors" "$tmp/again/model.safetensors"
mica convert --hf-path "$tmp/q" --mlx-path "$tmp/back" -d
check dequantizes says '^\[INFO\] Dequantizing$'
logits "$tmp/back" back
check dequantized_loads [ "$code" = 0 ]
check not_quantized sh -c '! grep -q "\"quantization\"" "$1"' sh "$tmp/back/config.json"
mica convert --hf-path "$tmp/bf16" --mlx-path "$tmp/f32" --dtype float32
check cast says '^\[INFO\] Using dtype: float32$'
check twice_the_size [ "$(wc -c <"$tmp/f32/model.safetensors")" -gt "$(($(wc -c <"$tmp/bf16/model.safetensors") * 19 / 10))" ]
mica convert --hf-path "$tmp/bf16" --mlx-path "$tmp/shards" -q --shard-gb 0.0005
check shards [ "$(ls "$tmp/shards"/model-*-of-*.safetensors | wc -l)" -gt 1 ]
logits "$tmp/shards" shards
check shards_load [ "$code" = 0 ]
logits "$tmp/q" q
check shards_same same "$tmp/q.safetensors" "$tmp/shards.safetensors"

# What fails leaves nothing.
mica convert --hf-path "$tmp/q" --mlx-path "$tmp/twice" -q
expect_failure quantized_already "quantized"
check leaves_nothing [ ! -e "$tmp/twice" ]
head -c 10000 "$tmp/bf16/model.safetensors" >"$tmp/part"
mkdir "$tmp/cut" && cp "$tmp/bf16/config.json" "$tmp/cut" && mv "$tmp/part" "$tmp/cut/model.safetensors"
mica convert --hf-path "$tmp/cut" --mlx-path "$tmp/cut_q" -q
expect_failure truncated "model.safetensors"
check truncated_leaves_nothing [ -z "$(ls "$tmp" | grep cut_q)" ]
finish
