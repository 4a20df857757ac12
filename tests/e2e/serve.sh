# mica serve over loopback, with curl as the client.
. "$(dirname -- "$0")/lib"
have_story || { skip serve "no weights in $STORY" && finish; }
command -v curl >/dev/null || { skip serve "no curl" && finish; }
"$MICA" serve --help | grep -q -- --port || { skip serve "built without libevent" && finish; }

MICA_API_KEY=secret "$MICA" serve --model "$STORY" --port 0 --kv-memory 64 --max-body 1 --threads 1 \
    --shutdown-timeout 5 >"$tmp/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$tmp"' EXIT
i=0
while ! grep -q listening "$tmp/log" && [ $i -lt 100 ]; do sleep 0.1 && i=$((i + 1)); done
url=$(sed -n 's/^listening on //p' "$tmp/log")
# get PATH [curl options]: the body in $tmp/out, the status in $status.
get() {
    path=$1
    shift
    status=$(curl -sS -m 60 -o "$tmp/out" -w '%{http_code}' -H 'Authorization: Bearer secret' "$@" "$url$path" 2>"$tmp/err")
}
post() { get "$1" -H 'Content-Type: application/json' -d "$2"; }
# answers NAME STATUS PATTERN
answers() { if [ "$status" = "$2" ] && says "$3"; then ok "$1"; else not_ok "$1" "status $status"; fi; }

get /health && answers health 200 '"status":"ok"'
get /v1/models && answers models 200 '"object":"model"'
get /metrics && answers metrics 200 '^vllm:num_requests_running 0$'
get /nowhere && answers unknown_path 404 '"error"'
get /v1/completions && answers wrong_method 405 '"error"'
status=$(curl -sS -o "$tmp/out" -w '%{http_code}' "$url/v1/models")
answers no_key 401 '"authentication_error"'
status=$(curl -sS -o "$tmp/out" -w '%{http_code}' "$url/health")
answers health_without_key 200 ok

story='"prompt":"Once upon a time","max_tokens":16'
post /v1/completions "{$story}" && answers completion 200 '"object":"text_completion".*"completion_tokens":16'
sed 's/.*"text":"\([^"]*\)".*/\1/' "$tmp/out" >"$tmp/text"
post /v1/completions "{$story,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
answers stream 200 '^data: \[DONE\]'
check stream_usage says '"choices":\[\],"usage":\{"prompt_tokens"'
sed -n 's/.*"text":"\([^"]*\)".*/\1/p' "$tmp/out" | tr -d '\n' >"$tmp/streamed"
check stream_is_the_same [ "$(cat "$tmp/text")" = "$(cat "$tmp/streamed")" ]
post /v1/completions '{"prompt":["Once upon","A dog"],"max_tokens":4,"n":2,"temperature":1,"seed":3}'
answers lists 200 '"index":3.*"completion_tokens":16'
post /v1/completions "{$story,\"logprobs\":2,\"stop\":[\" a\"]}" && answers logprobs 200 '"token_logprobs":\[-'
chat='"messages":[{"role":"user","content":[{"type":"text","text":"Tell me a story."}]}],"max_tokens":8'
post /v1/chat/completions "{$chat,\"logprobs\":true,\"top_logprobs\":2}"
answers chat 200 '"content":\[\{"token".*"message":\{"role":"assistant","content":'
post /v1/chat/completions "{$chat,\"stream\":true}" && answers chat_stream 200 '"delta":\{.*"role":"assistant"'

post /v1/completions '{' && answers bad_json 400 'not valid JSON'
post /v1/completions "{$story,\"tempreature\":1}" && answers unknown_field 400 '"param":"tempreature"'
post /v1/completions "{$story,\"suffix\":\"x\"}" && answers refused_field 400 '"param":"suffix"'
post /v1/completions "{$story,\"temperature\":\"hot\"}" && answers wrong_type 400 '"param":"temperature"'
post /v1/completions "{$story,\"logit_bias\":{\"x\":1}}" && answers bad_bias 400 '"param":"logit_bias"'
post /v1/completions '{"prompt":[99999999]}' && answers bad_token 400 'vocabulary'
head -c 2000000 /dev/zero | tr '\0' a >"$tmp/big"
get /v1/completions -d "@$tmp/big"
check too_big [ "$status" = 413 ]

# Eight at a time say what one said.
for i in 1 2 3 4 5 6 7 8; do
    curl -sS -m 60 -o "$tmp/c$i" -H 'Authorization: Bearer secret' -d "{$story}" "$url/v1/completions" &
    clients="$clients $!"
done
wait $clients
for i in 1 2 3 4 5 6 7 8; do sed 's/.*"text":"\([^"]*\)".*/\1/' "$tmp/c$i" | cmp -s - "$tmp/text" || echo "$i"; done >"$tmp/differ"
check concurrent_answers_are_equal [ ! -s "$tmp/differ" ]

# A client that leaves: what it asked for is given up.
curl -sS -m 1 -o /dev/null -H 'Authorization: Bearer secret' "$url/v1/completions" \
    -d '{"prompt":"Once","max_tokens":1900,"n":8,"ignore_eos":true}' 2>/dev/null
sleep 1
get /metrics
check vanished_client says '^vllm:num_requests_running 0$'
check vanished_is_cancelled says '^mica_requests_cancelled_total [1-9]'

kill -TERM $server
code=0
wait $server || code=$?
check sigterm [ "$code" = 0 ]
cp "$tmp/log" "$tmp/out"
check no_key_in_the_log sh -c '! grep -q secret "$1"' sh "$tmp/log"
finish
