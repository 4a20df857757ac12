/* mica tokenize and mica detokenize: text to token ids and back, on stdin and stdout.
 *
 * With --json-lines many texts pass through one process: a JSON value a line in, one a line out, flushed at
 * each so that a program can hold a dialogue with it. */
#include "text/tokenizer.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "io/jsontext.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct text_options {
    const char *path;
    bool no_special, skip_special, json_lines, stream;
} text_options;

/* Turns one value, text `in` of n bytes, into its output in `out`. */
typedef int (*convert_fn)(const tokenizer *t, const text_options *o, const char *in, size_t n, strbuf *out);

/* --- to ids --- */

static int add_ids(const tokenizer *t, const text_options *o, const char *text, size_t n,
                   const char *separator, strbuf *out)
{
    int *ids;
    size_t count;
    if (tokenizer_encode(t, text, n, !o->no_special, &ids, &count))
        return -1;
    for (size_t i = 0; i < count; i++)
        strbuf_addf(out, "%s%d", i ? separator : "", ids[i]);
    mem_free(ids);
    return 0;
}

static int text_to_ids(const tokenizer *t, const text_options *o, const char *in, size_t n, strbuf *out)
{
    int status = add_ids(t, o, in, n, " ", out);
    strbuf_addc(out, '\n');
    return status;
}

static json_t *parse_line(const char *in, size_t n)
{
    json_error_t e;
    json_t *value = json_loadb(in, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!value)
        error_set("not JSON: %s (column %d)", e.text, e.column);
    return value;
}

static int json_to_ids(const tokenizer *t, const text_options *o, const char *in, size_t n, strbuf *out)
{
    json_t *value = parse_line(in, n);
    if (!value)
        return -1;
    int status = -1;
    if (json_is_string(value)) {
        strbuf_addc(out, '[');
        status = add_ids(t, o, json_string_value(value), json_string_length(value), ", ", out);
        strbuf_adds(out, "]\n");
    } else {
        error_set("each line must be a JSON string");
    }
    json_decref(value);
    return status;
}

/* --- to text --- */

typedef struct id_list {
    int *ids;
    size_t n, cap;
} id_list;

static int add_id(id_list *list, long id)
{
    int *grown = mem_grow(list->ids, &list->cap, list->n + 1, sizeof *grown);
    if (!grown)
        return -1;
    list->ids = grown;
    list->ids[list->n++] = (int)id;
    return 0;
}

static int check_id(const tokenizer *t, long id)
{
    if (id >= 0 && id < tokenizer_vocab_size(t))
        return 0;
    return error_set("%ld is not an id of this tokenizer (0 to %d)", id, tokenizer_vocab_size(t) - 1);
}

/* Ids between spaces, commas or brackets. */
static int parse_ids(const tokenizer *t, const char *in, size_t n, id_list *list)
{
    const char *p = in, *end = in + n;
    for (;;) {
        while (p < end && (isspace((unsigned char)*p) || *p == ',' || *p == '[' || *p == ']'))
            p++;
        if (p == end)
            return 0;
        char *after;
        long id = strtol(p, &after, 10);
        if (after == p)
            return error_set("\"%.*s\" is not a token id", (int)(end - p < 20 ? end - p : 20), p);
        if (check_id(t, id) || add_id(list, id))
            return -1;
        p = after;
    }
}

static int ids_to_text(const tokenizer *t, const text_options *o, const char *in, size_t n, strbuf *out)
{
    id_list list = {0};
    size_t len;
    char *text =
        parse_ids(t, in, n, &list) ? NULL : tokenizer_decode(t, list.ids, list.n, o->skip_special, &len);
    mem_free(list.ids);
    if (!text)
        return -1;
    strbuf_add(out, text, len);
    mem_free(text);
    if (isatty(STDOUT_FILENO))
        strbuf_addc(out, '\n'); /* for the eye; a file or pipe gets the text exactly */
    return 0;
}

static int json_ids(const tokenizer *t, const json_t *value, id_list *list)
{
    if (!json_is_array(value))
        return error_set("each line must be a JSON array of ids");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (!json_is_integer(item))
            return error_set("item %zu of the array is not an id", i);
        long id = (long)json_integer_value(item);
        if (check_id(t, id) || add_id(list, id))
            return -1;
    }
    return 0;
}

static json_t *decoded(const tokenizer *t, const text_options *o, const id_list *list)
{
    size_t len;
    char *text = tokenizer_decode(t, list->ids, list->n, o->skip_special, &len);
    json_t *result = text ? json_stringn(text, len) : NULL;
    mem_free(text);
    return result;
}

/* The pieces that streaming prints, one an id and the rest (often empty) last. */
static json_t *pieces(const tokenizer *t, const text_options *o, const id_list *list)
{
    detok *d = detok_new(t, o->skip_special);
    json_t *result = json_array();
    const char *text;
    size_t len;
    int bad = !d || !result;
    for (size_t i = 0; i < list->n && !bad; i++)
        bad =
            detok_add(d, list->ids[i], &text, &len) || json_array_append_new(result, json_stringn(text, len));
    if (!bad && detok_finish(d, &text, &len) == 0 && len)
        bad = json_array_append_new(result, json_stringn(text, len));
    detok_free(d);
    if (!bad)
        return result;
    json_decref(result);
    return NULL;
}

static int json_to_text(const tokenizer *t, const text_options *o, const char *in, size_t n, strbuf *out)
{
    id_list list = {0};
    json_t *value = parse_line(in, n);
    int status = value ? json_ids(t, value, &list) : -1;
    json_decref(value);
    if (status == 0) {
        value = o->stream ? pieces(t, o, &list) : decoded(t, o, &list);
        status = jsontext_add(out, value, JSON_ENCODE_ANY);
        json_decref(value);
        strbuf_addc(out, '\n');
    }
    mem_free(list.ids);
    return status;
}

/* --- both --- */

static int emit(const tokenizer *t, const text_options *o, convert_fn convert, const char *in, size_t n,
                strbuf *out)
{
    strbuf_clear(out);
    if (convert(t, o, in, n, out) || out->failed || cli_write(out->data, out->len))
        return -1;
    return cli_flush();
}

static int each_line(const tokenizer *t, const text_options *o, convert_fn convert, strbuf *out)
{
    char *line = NULL;
    size_t cap = 0, number = 0;
    int status = 0;
    ssize_t n;
    while (status == 0 && (n = getline(&line, &cap, stdin)) >= 0) {
        number++;
        status = emit(t, o, convert, line, (size_t)n, out);
        if (status)
            error_within("line %zu", number);
    }
    if (status == 0 && !feof(stdin))
        status = error_set("standard input: %s", strerror(errno));
    free(line); /* getline's memory */
    return status;
}

static int work(const text_options *o, convert_fn whole, convert_fn line)
{
    if (cli_check_model(o->path, true))
        return -1;
    tokenizer *t = tokenizer_load(o->path);
    strbuf in = {0}, out = {0};
    int status = t ? 0 : -1;
    if (t && o->json_lines)
        status = each_line(t, o, line, &out);
    else if (t)
        status = cli_read_stdin(&in) ? -1 : emit(t, o, whole, strbuf_text(&in), in.len, &out);
    strbuf_free(&in);
    strbuf_free(&out);
    tokenizer_free(t);
    return status;
}

#define AT(field) offsetof(text_options, field)
#define SWITCH(name, field, help)                                          \
    {                                                                      \
        name, NULL, OPTION_SWITCH, AT(field), NULL, NULL, NULL, 0, 0, help \
    }
#define MODEL_ROW                                                         \
    {                                                                     \
        "--model", NULL, OPTION_TEXT, AT(path), "PATH", NULL, NULL, 0, 0, \
            "model folder or tokenizer.json file"                         \
    }

static int run(const char *name, const char *summary, const char *examples, option_group group,
               text_options *o, convert_fn whole, convert_fn line, int argc, char **argv)
{
    const option_spec spec = {name, summary, examples, &group, 1};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    if (o->stream && !o->json_lines)
        return error_set("--stream goes with --json-lines");
    return work(o, whole, line);
}

int cli_tokenize(int argc, char **argv)
{
    static const option rows[] = {
        MODEL_ROW,
        SWITCH("--no-special", no_special,
               "leave out what the tokenizer puts around a text, such as a begin token"),
        SWITCH("--json-lines", json_lines,
               "each input line is a JSON string, each output line a JSON array of ids"),
    };
    text_options o = {0};
    return run("mica tokenize", "reads text from stdin, prints token ids",
               "  printf 'Once upon a time' | mica tokenize --model models/story\n",
               (option_group)OPTION_GROUP("Options", rows, &o), &o, text_to_ids, json_to_ids, argc, argv);
}

int cli_detokenize(int argc, char **argv)
{
    static const option rows[] = {
        MODEL_ROW,
        SWITCH("--skip-special", skip_special, "leave out special tokens"),
        SWITCH("--json-lines", json_lines,
               "each input line is a JSON array of ids, each output line a JSON string"),
        SWITCH("--stream", stream,
               "with --json-lines: each output line is an array of the pieces that streaming prints"),
    };
    text_options o = {0};
    return run(
        "mica detokenize", "reads token ids from stdin, prints their text",
        "  echo 1 2 3 | mica detokenize --model models/story\n"
        "  mica tokenize --model models/story < a.txt | mica detokenize --model models/story > same.txt\n",
        (option_group)OPTION_GROUP("Options", rows, &o), &o, ids_to_text, json_to_text, argc, argv);
}
