# mica generate: its output to the letter, its options, the names it can be started under.
. "$(dirname -- "$0")/lib"
have_story || { skip generate "no weights in $STORY" && finish; }

# The text alone: what lies between the two lines of = signs.
text_of() { sed '1d' "$1" | sed '/^==========$/,$d' >"$2"; }

mica generate --model "$STORY" --prompt "Tell me a story." --max-tokens 12
check exit_code [ "$code" = 0 ]
check first_line [ "$(head -n 1 "$tmp/out")" = "==========" ]
check second_line [ "$(grep -c '^==========$' "$tmp/out")" = 2 ]
check prompt_figures says '^Prompt: [0-9]+ tokens, [0-9]+\.[0-9]{3} tokens-per-sec$'
check generation_figures says '^Generation: 12 tokens, [0-9]+\.[0-9]{3} tokens-per-sec$'
check memory_figure says '^Peak memory: [0-9]+\.[0-9]{3} GB$'
check load_figure says '^Load time: [0-9]+\.[0-9]{3} s$'
check setup_on_stderr says '^\[INFO\] .*(exact|int8|not quantized)' err
text_of "$tmp/out" "$tmp/text"
check some_text [ -s "$tmp/text" ]

mica generate --model "$STORY" --prompt "Tell me a story." -m 12 --verbose False
check verbose_false same "$tmp/out" "$tmp/text"
check verbose_false_stderr [ ! -s "$tmp/err" ]
mica generate --model="$STORY" --prompt="Tell me a story." --max-tokens=12 --verbose=f
check equals_sign same "$tmp/out" "$tmp/text"
printf 'Tell me a story.' >"$tmp/prompt"
mica generate --model "$STORY" --prompt - -m 12 --verbose false <"$tmp/prompt"
check prompt_from_stdin same "$tmp/out" "$tmp/text"
for isa in portable avx2; do
    MICA_CPU_ISA=$isa "$MICA" generate --model "$STORY" -p "Tell me a story." -m 12 --precision exact >"$tmp/out" 2>"$tmp/err"
    if grep -q "MICA_CPU_ISA" "$tmp/err"; then
        skip "runs_$isa" "this processor does not have it"
    else
        check "runs_$isa" says '^Generation: 12 tokens'
    fi
done

# The escapes \n and \t, as prompt lengths.
printf 'a\n\tb' >"$tmp/prompt"
mica generate --model "$STORY" --ignore-chat-template -m 1 -p - <"$tmp/prompt"
real=$(grep '^Prompt:' "$tmp/out" | cut -d, -f1)
mica generate --model "$STORY" --ignore-chat-template -m 1 -p 'a\n\tb'
check escapes [ -n "$real" -a "$real" = "$(grep '^Prompt:' "$tmp/out" | cut -d, -f1)" ]
tokens=$("$MICA" tokenize --model "$STORY" <"$tmp/prompt" | wc -w)
check prompt_is_tokenized [ "$real" = "Prompt: $((tokens)) tokens" ]

# A cached prompt: the same text as from the whole prompt.
mica cache_prompt --model "$STORY" --prompt-cache-file "$tmp/cache.safetensors" -p "Once upon a time there was a little dog named Max. He"
check cache_prompt says '^Processed [0-9]+ tokens'
mica generate --prompt-cache-file "$tmp/cache.safetensors" -p " liked to" -m 20 --verbose false
cp "$tmp/out" "$tmp/a"
mica generate --model "$STORY" -p "Once upon a time there was a little dog named Max. He liked to" -m 20 --verbose false
check cached_prompt same "$tmp/a" "$tmp/out"
mica generate --model "$tmp" --prompt-cache-file "$tmp/cache.safetensors" -p "x"
check cache_of_another_model says 'was made by' err
mica generate --prompt-cache-file "$STORY/config.json" -p "x"
check no_cache [ "$code" = 1 ]
mica cache_prompt --model "$STORY" -p x
check cache_file_is_missing says 'prompt-cache-file is missing' err

# A limited cache: the same until the limit is reached.
mica generate --model "$STORY" -p "Tell me a story." -m 12 --verbose false --max-kv-size 200
check max_kv_size same "$tmp/out" "$tmp/text"
mica generate --model "$STORY" -p "Tell me a story." -m 40 --verbose false --max-kv-size 16
check max_kv_size_goes_on [ "$(wc -c <"$tmp/out")" -gt "$(wc -c <"$tmp/text")" ]
mica generate --model "$STORY" -p "Tell me a story." --max-kv-size 3
check max_kv_size_too_small says 'cannot be limited to 3 tokens' err

# Sampling: the same seed gives the same text, another one another.
sample() { "$MICA" generate --model "$STORY" -p "Tell me a story." -m 30 --verbose false --temp 1 --top-p 0.95 "$@"; }
sample --seed 1 >"$tmp/a"
sample --seed 1 >"$tmp/b"
sample --seed 2 >"$tmp/c"
check same_seed same "$tmp/a" "$tmp/b"
check other_seed sh -c '! cmp -s "$1" "$2"' sh "$tmp/a" "$tmp/c"
sample --top-k 1 --seed 3 >"$tmp/a"
check top_k_1_is_greedy sh -c 'head -c 20 "$1" >"$3" && head -c 20 "$2" | cmp -s - "$3"' sh "$tmp/a" "$tmp/text" "$tmp/c"
for option in "--min-p 0.1" "--top-k 20" "--xtc-probability 0.5 --xtc-threshold 0.05" "--repetition-penalty 1.2" \
    "--presence-penalty 0.5" "--frequency-penalty 0.5"; do
    sample $option --seed 1 >"$tmp/out"
    check "samples${option%% [0-9]*}" [ -s "$tmp/out" ]
done

# What ends an answer, what is put around it.
first=$("$MICA" tokenize --model "$STORY" --no-special <"$tmp/text" | cut -d' ' -f1-4)
mica generate --model "$STORY" -p "Tell me a story." -m 12 --extra-eos-token $first
check extra_eos_ids says '^Generation: 1 tokens|^No text generated for this prompt$'
mica generate --model "$STORY" -p "Tell me a story." -m 12 --extra-eos-token '<|endoftext|>' 8190
check extra_eos_text [ "$code" = 0 ]
mica generate --model "$STORY" -p "Tell me a story." -m 1
short=$(grep '^Prompt:' "$tmp/out" | cut -d' ' -f2)
mica generate --model "$STORY" -p "Tell me a story." -m 1 --system-prompt "You are a bear."
check system_prompt [ "$(grep '^Prompt:' "$tmp/out" | cut -d' ' -f2)" -gt "$short" ]
mica generate --model "$STORY" -p "Tell me a story." -m 8 --prefill-response "Once upon"
check prefill_response [ "$(grep '^Prompt:' "$tmp/out" | cut -d' ' -f2)" -gt "$short" ]
mica generate --model "$STORY" -p "Tell me a story." -m 4 --chat-template-config '{"enable_thinking": false}'
check template_config [ "$code" = 0 ]
mica generate --model "$STORY" -p "Tell me a story." -m 4 --threads 1
check one_thread says ' 1 thread$' err

# Ctrl-C ends with the figures.
if command -v timeout >/dev/null; then
    code=0
    timeout --foreground -s INT 2 "$MICA" generate --model "$STORY" --ignore-chat-template -p "The sea" -m 1000000 \
        >"$tmp/out" 2>"$tmp/err" || code=$?
    check interrupt_figures says '^Generation: [0-9]+ tokens'
else
    skip interrupt_figures "no timeout"
fi

# mlx-lm's names.
self=$(cd "$(dirname -- "$MICA")" && pwd)/$(basename -- "$MICA")
for name in mlx_lm mlx_lm.generate mlx_lm.chat mlx_lm.lora; do ln -s "$self" "$tmp/$name"; done
"$tmp/mlx_lm" generate --model "$STORY" -p "Tell me a story." -m 12 --verbose false >"$tmp/out"
check mlx_lm_generate same "$tmp/out" "$tmp/text"
"$tmp/mlx_lm.generate" --model "$STORY" -p "Tell me a story." -m 12 --verbose false >"$tmp/out"
check mlx_lm.generate same "$tmp/out" "$tmp/text"
code=0
"$tmp/mlx_lm.lora" --model "$STORY" >"$tmp/out" 2>"$tmp/err" || code=$?
expect_failure mlx_lm.lora "does not exist yet"
finish
