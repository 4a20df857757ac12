# Reads tools/lint-allow.txt, then problems, and prints the problems that are not allowed.
FNR == NR {
    if ($0 !~ /^#/ && NF >= 3 && split($0, field, / \| /) >= 3) {
        path[++n] = field[1]
        text[n] = field[2]
    }
    next
}
{
    for (i = 1; i <= n; i++)
        if (index($0, path[i] ":") == 1 && index($0, text[i]))
            next
    print
}
