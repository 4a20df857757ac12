# Wrong use and wrong input: one clear line on stderr, exit code 1, nothing on stdout.
. "$(dirname -- "$0")/lib"

# --- the command line ---
fails no_command "no command"
fails unknown_command "did you mean generate?" genrate
fails unknown_command_far "unknown command frobnicate" frobnicate
fails option_before_command "a command comes first" --model x generate
for command in lora fuse perplexity evaluate manage; do
    fails "later_$command" "$command does not exist yet" $command --model x
done
for command in generate chat benchmark logits tokenize detokenize template; do
    fails "no_model_$command" "no model: give the path" $command
    fails "unknown_option_$command" "unknown option --modle: did you mean --model?" $command --modle x
    fails "stray_$command" 'unexpected argument "stray"' $command stray
    fails "no_folder_$command" "no folder" $command --model ./nowhere
    fails "hub_name_$command" "downloads from a model hub do not exist yet" $command --model mlx-community/Qwen3-4bit
    check "help_$command" sh -c '"$1" "$2" --help | grep -q Examples:' sh "$MICA" $command
done
fails no_value "--model needs a value" generate --model
fails forgotten_value "--model needs a value" generate --model --prompt x
fails bad_number '--max-tokens: "many" is not a whole number' generate --max-tokens many
fails bad_range "--top-p: 1.5 is not between 0 and 1" generate --top-p 1.5
fails negative_temp "--temp: -1 is too small" generate --temp -1
fails bad_choice "auto|exact|int8" generate --precision fast
fails bad_bool "true or false" generate --verbose perhaps
for flag in --adapter-path --draft-model --num-draft-tokens --kv-bits --kv-group-size --quantized-kv-start \
    --quantize-activations -qa --trust-remote-code --use-default-chat-template; do
    fails "refused_$flag" "is not supported: " generate --model "$STORY" $flag 8
done
MICA_CPU_ISA=mmx
export MICA_CPU_ISA
fails unknown_isa MICA_CPU_ISA generate --model "$STORY" --prompt x
unset MICA_CPU_ISA
fails model_is_file "is a file: give the folder" generate --model "$0"
fails convert_no_model "give the folder to convert with --hf-path" convert
fails convert_mode 'not one of affine' convert --hf-path x --q-mode mxfp4
fails convert_predicate "--quant-predicate is not supported" convert --hf-path x --quant-predicate mixed_2_6
mkdir "$tmp/empty"
fails convert_target "exists already" convert --hf-path "$tmp" --mlx-path "$tmp/empty"
fails convert_both "exclude each other" convert --hf-path "$tmp" --mlx-path "$tmp/new" -q -d
fails convert_stray_bits "--q-bits goes with --quantize" convert --hf-path "$tmp" --mlx-path "$tmp/new" --q-bits 8
fails convert_bits "not one of 2, 3, 4, 5, 6, 8" convert --hf-path "$tmp" --mlx-path "$tmp/new" -q --q-bits 7
fails empty_folder "config.json" generate --model "$tmp/empty"
fails template_without_context "--context" template --template "$0"

mica --version
check version says '^mica [0-9]+\.[0-9]+'
mica --help
check help says '^  generate '

# --- model folders ---
if ! have_story; then
    skip models "no weights in $STORY"
    finish
fi
weights=$(basename "$(ls "$STORY"/model*.safetensors | head -n 1)")
# broken NAME: a copy of the model's folder to damage.
broken() {
    folder=$tmp/$1
    mkdir "$folder"
    cp "$STORY"/*.json "$folder"
    cp "$STORY/$weights" "$folder/$weights"
}
broken no_weights && rm "$folder/$weights"
fails no_weights "safetensors" generate --model "$folder"
broken truncated && head -c 1000000 "$STORY/$weights" >"$folder/$weights"
fails truncated "$weights" generate --model "$folder"
broken garbage && echo "not a tensor file at all" >"$folder/$weights"
fails garbage "$weights" generate --model "$folder"
broken no_config && rm "$folder/config.json"
fails no_config "config.json" generate --model "$folder"
broken bad_config && echo '{"model_type": ' >"$folder/config.json"
fails bad_config "config.json" generate --model "$folder"
broken unknown_type && sed 's/"model_type": *"[^"]*"/"model_type": "abacus"/' "$STORY/config.json" >"$folder/config.json"
fails unknown_type "abacus" generate --model "$folder"
broken missing && sed 's/"num_hidden_layers": *[0-9]*/"num_hidden_layers": 9/' "$STORY/config.json" >"$folder/config.json"
fails missing_tensor "layers.8." generate --model "$folder"
broken surplus && sed 's/"num_hidden_layers": *[0-9]*/"num_hidden_layers": 7/' "$STORY/config.json" >"$folder/config.json"
fails surplus_tensor "layers.7." generate --model "$folder"
broken no_tokenizer && rm "$folder/tokenizer.json"
fails no_tokenizer "tokenizer" generate --model "$folder"
broken bad_tokenizer && head -c 5000 "$STORY/tokenizer.json" >"$folder/tokenizer.json"
fails bad_tokenizer "tokenizer.json" generate --model "$folder"
broken raises && sed 's/"chat_template": *"/&{{ raise_exception(\x27no thanks\x27) }}/' "$STORY/tokenizer_config.json" \
    >"$folder/tokenizer_config.json"
rm -f "$folder"/*.jinja
fails template_raises "no thanks" generate --model "$folder"

# --- prompts and values ---
bytes=$(printf 'caf\351 au lait')
fails invalid_utf8 "--prompt is not valid UTF-8: byte 0xe9 at offset 3" generate --model "$STORY" --prompt "$bytes"
printf 'abc\377' >"$tmp/bad.txt"
mica generate --model "$STORY" --prompt - <"$tmp/bad.txt"
expect_failure invalid_utf8_stdin "not valid UTF-8"
mica tokenize --model "$STORY" <"$tmp/bad.txt"
expect_failure invalid_utf8_tokenize "UTF-8"
fails invalid_utf8_system "--system-prompt is not valid UTF-8" generate --model "$STORY" --system-prompt "$bytes"
fails empty_prompt "the prompt is empty" generate --model "$STORY" --ignore-chat-template --prompt ""
fails eos_text 'is not one token' generate --model "$STORY" --extra-eos-token "surely not one token"
fails eos_id 'is not an id' generate --model "$STORY" --extra-eos-token 99999999
for command in generate chat; do
    fails "template_json_$command" "--chat-template-config: not a JSON object" \
        $command --model "$STORY" --chat-template-config "{nope"
done
fails top_k "top_k must be from 0 to" generate --model "$STORY" --temp 1 --top-k 99999999
fails huge_temp "a finite 32-bit float" generate --model "$STORY" --temp 1e300
fails system_without_template "--system-prompt needs a chat template" \
    generate --model "$STORY" --ignore-chat-template --system-prompt x
fails token_range "is not an id of this model" logits --model "$STORY" --tokens 1,99999999 --out "$tmp/x.safetensors"
fails token_text "is not a token id" logits --model "$STORY" --tokens 1,two --out "$tmp/x.safetensors"
fails out_folder "$tmp/nowhere" logits --model "$STORY" --tokens 1 --out "$tmp/nowhere/x.safetensors"
fails out_is_folder "it is a folder" logits --model "$STORY" --tokens 1 --out "$tmp"
"$MICA" logits --model "$STORY" --tokens 1 --out /dev/null
check out_device [ -c /dev/null ]
for command in tokenize detokenize; do
    mica $command --model "$STORY" --json-lines </
    expect_failure "unreadable_stdin_$command" "standard input: "
done
echo '[{"role": "user", "content": "a\u0000b"}]' >"$tmp/nul.json"
fails template_nul "take no NUL" template --model "$STORY" --messages "$tmp/nul.json"
echo "1 2 99999999" >"$tmp/ids"
mica detokenize --model "$STORY" <"$tmp/ids"
expect_failure detokenize_range "is not an id"
echo '[1, "a"]' >"$tmp/ids"
mica detokenize --json-lines --model "$STORY" <"$tmp/ids"
expect_failure detokenize_json "line 1: "
fails stream_alone "--stream goes with --json-lines" detokenize --model "$STORY" --stream

# --- outputs that cannot be written ---
if [ -c /dev/full ]; then
    code=0
    "$MICA" generate --model "$STORY" --verbose false -m 3 >/dev/full 2>"$tmp/err" || code=$?
    : >"$tmp/out"
    expect_failure disk_full "standard output"
fi
"$MICA" generate --model "$STORY" --verbose false -m 200 2>"$tmp/err" | head -c 1 >/dev/null
check broken_pipe [ ! -s "$tmp/err" ]
(trap '' PIPE && "$MICA" generate --model "$STORY" --verbose false -m 200 2>"$tmp/err" | head -c 1 >/dev/null)
check broken_pipe_ignored [ ! -s "$tmp/err" ]
finish
