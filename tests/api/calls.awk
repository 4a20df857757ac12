# Reads headers of the C interface (its default version) and writes a C function for each prototype that makes arrays: it
# calls it with what a `sample` (test_arguments.c) holds for each type; then the table of these functions.
function clean(s) {
    gsub(/[ \t\n]+/, " ", s)
    sub(/^ /, "", s)
    sub(/ $/, "", s)
    return s
}
# The argument for one parameter; "" for a type that is not known.
function argument(p,    type, null) {
    null = p ~ /MAY_BE_NULL/
    sub(/ ?MAY_BE_NULL/, "", p)
    type = p
    sub(/[A-Za-z_0-9]+$/, "", type)
    type = clean(type)
    if (type == "mlx_array *")
        return "&t->out[" outs++ "]"
    if (type == "mlx_vector_array *")
        return "&t->list"
    if (type == "const mlx_array") {
        needs += !null
        return null ? "t->optional" : "t->x"
    }
    if (type == "const mlx_vector_array") {
        lists++
        return "t->inputs"
    }
    if (type in value)
        return value[type]
    return ""
}
function prototype(s,    name, list, n, i, a, call) {
    s = clean(s)
    if (s !~ /^int mlx_[a-z0-9_]+\(.*\)$/)
        return
    name = s
    sub(/^int /, "", name)
    sub(/\(.*/, "", name)
    list = s
    sub(/^[^(]*\(/, "", list)
    sub(/\)$/, "", list)
    n = split(list, parameter, ",")
    outs = needs = lists = 0
    for (i = 1; i <= n; i++) {
        a = argument(clean(parameter[i]))
        if (a == "")
            return
        call = call (i > 1 ? ", " : "") a
    }
    if (!outs && list !~ /mlx_vector_array \*/)
        return
    printf "static int call_%s(sample *t) { (void)t; return %s(%s); }\n", name, name, call
    rows = rows sprintf("    {\"%s\", call_%s, %d},\n", name, name, needs)
}
BEGIN {
    value["const mlx_stream"] = "t->stream"
    value["int"] = "t->number"
    value["uint64_t"] = "7"
    value["size_t"] = "t->count"
    value["const int *"] = "t->numbers"
    value["const int64_t *"] = "t->longs"
    value["bool"] = "t->flag"
    value["float"] = "t->real"
    value["double"] = "t->real"
    value["mlx_dtype"] = "t->dtype"
    value["mlx_fft_norm"] = "MLX_FFT_NORM_ORTHO"
    value["const char *"] = "t->text"
    value["mlx_optional_int"] = "(mlx_optional_int){t->number, t->flag}"
    value["mlx_optional_float"] = "(mlx_optional_float){t->real, t->flag}"
    value["mlx_optional_dtype"] = "(mlx_optional_dtype){t->dtype, t->flag}"
}
# Of conditional parts, those of the default version.
/^#if MLX_C_ABI/ {
    inside = 1
    off = /FORCE_FUSED/
    next
}
/^#else/ { off = inside && !off }
/^#endif/ { inside = off = 0 }
/^#/ || off { next }
{
    gsub(/\/\* may be null \*\//, "MAY_BE_NULL")
    sub(/ MLX_FFT_NORM_PARAMETER/, ", mlx_fft_norm norm")
    text = text " " $0
}
END {
    while ((at = index(text, "/*")) > 0) {
        tail = substr(text, at + 2)
        text = substr(text, 1, at - 1) substr(tail, index(tail, "*/") + 2)
    }
    while (match(text, /[;{}]/)) {
        prototype(substr(text, 1, RSTART - 1))
        text = substr(text, RSTART + 1)
    }
    printf "static const function functions[] = {\n%s};\n", rows
}
