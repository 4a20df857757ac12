# Reads the headers of src, then lines "FILE SYMBOL", and prints "FILE SYMBOL message" for each symbol whose first
# word belongs neither to its file, nor to its folder, nor to a header of that folder, and that the table of prefixes
# (-v prefixes=FILE) does not give to it. -v public="mx ..."
function words(path,    base, n, i, part, folder) {
    base = path
    folder = path
    sub(/\/[^\/]*$/, "", folder)
    sub(/.*\//, "", base)
    sub(/\.[a-z]+$/, "", base)
    n = split(base, part, "_")
    for (i = 1; i <= n; i++)
        allowed[folder, part[i]] = 1
}
BEGIN {
    n = split(public, part, " ")
    for (i = 1; i <= n; i++)
        ours[part[i]] = 1
    while ((getline line < prefixes) > 0)
        if (line !~ /^#/ && split(line, field, / \| /) == 3)
            given[field[1]] = given[field[1]] " " field[2]
}
# sample.c may say sampler_, encode.c encoder_
function is_grown(first, path,    n, i, part) {
    sub(/.*\//, "", path)
    sub(/\.[a-z]+$/, "", path)
    n = split(path, part, "_")
    for (i = 1; i <= n; i++)
        if (length(part[i]) >= 4 && index(first, part[i]) == 1)
            return 1
    return 0
}
function is_given(prefix, file,    n, i, where) {
    n = split(given[prefix], where, " ")
    for (i = 1; i <= n; i++)
        if (index(file, where[i]) == 1)
            return 1
    return 0
}
NF == 1 { words($1); next }
{
    words($1)
    folder = $1
    sub(/\/[^\/]*$/, "", folder)
    top = folder
    sub(/^src\//, "", top)
    sub(/\/.*/, "", top)
    first = $2
    sub(/^_mlx_/, "mlx_", first)
    sub(/_.*/, "", first)
    singular = top
    sub(/s$/, "", singular)
    if (first in ours || first == top || first == singular || (folder, first) in allowed ||
        ("src/" top, first) in allowed || (folder, first "s") in allowed || is_grown(first, $1) ||
        is_given(first, $1))
        next
    print $1, $2, "begins with no word of its file, its folder or a header of its folder"
}
