# Checks the #include lines of src: see tools/lint.sh for the rule. -v layers="base array ..."
BEGIN {
    n = split(layers, order, " ")
    for (i = 1; i <= n; i++)
        rank[order[i]] = i
}
FNR == 1 {
    split(FILENAME, part, "/")
    own = part[2]
    if (!(own in rank))
        print FILENAME ":1: src/" own " is no known folder (LAYERS in tools/lint.sh)"
}
/^[ ]*#[ ]*include[ ]*"/ {
    split($0, quoted, "\"")
    path = quoted[2]
    folder = path
    sub(/\/.*/, "", folder)
    where = FILENAME ":" FNR ": "
    if (path !~ /\// || folder == "mlx" || folder == "mx") { # include/: the public headers
        if ((getline line < ("include/" path)) < 0)
            print where "\"" path "\" is written neither from src/ nor from include/"
        else if (own == "base")
            print where "base depends on libc only, not on \"" path "\""
        close("include/" path)
    } else if (!(folder in rank))
        print where "\"" path "\" is not written from src/"
    else if (own == "kernels" && folder != "kernels")
        print where "kernels holds leaf headers: it may not include \"" path "\""
    else if (folder != "kernels" && own in rank && rank[folder] > rank[own])
        print where "layer: " own " may not include \"" path "\" (" folder " comes later)"
}
