# Lines of files and functions. A function is what stands between a `{` and a `}` that both begin a line, as
# clang-format lays them out; its name is the last word before the first `(` of the lines above.
function limit(where, what, lines, most, good) {
    if (lines > most)
        print where ": " what " has " lines " lines, at most " most " are allowed"
    else if (verbose && lines > good)
        print where ": note: " what " has " lines " lines, " good " are the aim"
}
function close_file() {
    if (file != "")
        limit(file ":1", "the file", total, 1000, 400)
}
FNR == 1 { close_file(); file = FILENAME; start = 0; head = "" }
{ total = FNR }
start == 0 && /^[A-Za-z_].*\(/ { head = $0; head_line = FNR }
/^\{/ && start == 0 { start = head_line ? head_line : FNR }
/^\}/ && start {
    name = head
    gsub(/__attribute__ *\(\([a-z_]+(\([^)]*\))?\)\)/, "", name)
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    limit(FILENAME ":" start, "function " name, FNR - start + 1, 100, 60)
    start = 0
}
END { close_file() }
