# mica chat on a terminal, driven by tmux: line editing, history, Ctrl-C in an answer and at the prompt.
. "$(dirname -- "$0")/lib"
have_story || { skip chat_terminal "no weights in $STORY" && finish; }
command -v tmux >/dev/null || { skip chat_terminal "no tmux" && finish; }

socket=mica-e2e-$$
screen() { tmux -L "$socket" capture-pane -p -S -200 -t 0; }
keys() { tmux -L "$socket" send-keys -t 0 "$@"; }
trap 'tmux -L "$socket" kill-server 2>/dev/null; rm -rf "$tmp"' EXIT
# wait_for PATTERN [COUNT]: until the screen has that many lines of it, at most 60 seconds.
wait_for() {
    for try in $(seq 600); do
        screen >"$tmp/out" 2>"$tmp/err"
        [ "$(grep -cE -e "$1" "$tmp/out")" -lt "${2:-1}" ] || return 0
        sleep 0.1
    done
    return 1
}
start() {
    tmux -L "$socket" -f /dev/null new-session -d -x 100 -y 50 "env LANG=C.UTF-8 '$MICA' chat --model '$STORY' $*; echo code \$?; sleep 60"
}

start -m 100000 || { skip chat_terminal "tmux does not start" && finish; }
check greeting wait_for '^>>>'
check header wait_for '^mica chat · '
keys "/hlep" BSpace BSpace BSpace "elp" Enter
check editing wait_for '^Commands:'
keys "/system caf" "é" Enter
check typed_utf8 wait_for 'system message is set'
if ldd "$MICA" 2>/dev/null | grep -q libedit; then
    keys Up Up Enter
    check history wait_for '^Commands:' 2
else
    skip history "built without libedit"
fi
keys "half a line" C-c
check clears_line wait_for 'Ctrl-C again'
keys "Tell me a story." Enter
sleep 1
keys C-c
check stops_answer wait_for 'tok/s · prompt'
check says_stopped wait_for '\[stopped\]|tok/s'
keys "/stats" Enter
check still_alive wait_for '^messages: 2'
keys C-c
sleep 0.3
keys C-c
check leaves_on_second wait_for '^code 130'
tmux -L "$socket" kill-server 2>/dev/null
sleep 0.2
start -m 5
wait_for '^>>>'
keys C-d
check ctrl_d wait_for '^code 0'
finish
