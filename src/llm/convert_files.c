/* The files around converted weights. The folder is filled under a temporary name beside its target and
 * renamed when it is complete, so a failure or a lost process never leaves half a model under the name that
 * was asked for. */
#include "llm/convert.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/jsontext.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_LIMIT ((size_t)1 << 30)

/* --- JSON in Python's form --- */

static void add_indent(strbuf *out, int depth)
{
    strbuf_addc(out, '\n');
    for (int i = 0; i < 4 * depth; i++)
        strbuf_addc(out, ' ');
}

/* The shortest digits that read back as v, in Python's choice of notation. */
static void add_real(strbuf *out, double v)
{
    char text[400];
    bool fixed = v == 0 || (fabs(v) >= 1e-4 && fabs(v) < 1e16);
    int first = fixed ? 1 : 0;
    for (int digits = first; digits < 25; digits++) {
        snprintf(text, sizeof text, fixed ? "%.*f" : "%.*e", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    for (char *p = text; *p; p++)
        if (*p == ',') /* a locale's decimal point */
            *p = '.';
    strbuf_adds(out, text);
}

/* jansson writes \u00E9 where Python writes \u00e9. */
static void lower_escapes(char *text)
{
    for (char *p = text; *p; p++) {
        if (*p != '\\')
            continue;
        p++; /* whatever it escapes, a backslash too */
        for (int i = 1; *p == 'u' && i <= 4; i++)
            p[i] = (char)(p[i] >= 'A' && p[i] <= 'F' ? p[i] + 32 : p[i]);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_value(strbuf *out, const json_t *v, int depth);

static void add_object(strbuf *out, const json_t *v, int depth)
{
    size_t n = 0;
    const char **keys = mem_calloc(json_object_size(v), sizeof *keys), *key;
    json_t *value;
    if (!keys) {
        out->failed = true;
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, value) keys[n++] = key;
    if (n)
        qsort(keys, n, sizeof *keys, compare);
    strbuf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        strbuf_adds(out, i ? "," : "");
        add_indent(out, depth + 1);
        json_t *name = json_string(keys[i]);
        add_value(out, name, depth + 1);
        json_decref(name);
        strbuf_adds(out, ": ");
        add_value(out, json_object_get(v, keys[i]), depth + 1);
    }
    if (n)
        add_indent(out, depth);
    strbuf_addc(out, '}');
    mem_free(keys);
}

static void add_array(strbuf *out, const json_t *v, int depth)
{
    size_t n = json_array_size(v);
    strbuf_addc(out, '[');
    for (size_t i = 0; i < n; i++) {
        strbuf_adds(out, i ? "," : "");
        add_indent(out, depth + 1);
        add_value(out, json_array_get(v, i), depth + 1);
    }
    if (n)
        add_indent(out, depth);
    strbuf_addc(out, ']');
}

static void add_value(strbuf *out, const json_t *v, int depth)
{
    if (json_is_object(v)) {
        add_object(out, v, depth);
    } else if (json_is_array(v)) {
        add_array(out, v, depth);
    } else if (json_is_real(v)) {
        add_real(out, json_real_value(v));
    } else {
        size_t from = out->len;
        if (jsontext_add(out, v, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) == 0)
            lower_escapes(out->data + from);
    }
}

void convert_json(strbuf *out, const json_t *value) { add_value(out, value, 0); }

/* --- the folder --- */

/* The last name of a path, n bytes; slashes at the end do not count. */
static const char *last_part(const char *path, size_t *n)
{
    const char *end = path + strlen(path);
    while (end > path + 1 && end[-1] == '/')
        end--;
    const char *p = end;
    while (p > path && p[-1] != '/')
        p--;
    *n = (size_t)(end - p);
    return p;
}

char *convert_begin(const char *to)
{
    if (!*to || file_exists(to)) {
        error_set(*to ? "%s: exists already; name a folder that does not"
                      : "%sthe name of the new folder is empty",
                  to);
        return NULL;
    }
    size_t n;
    char *above = mem_strndup(to, (size_t)(last_part(to, &n) - to));
    char *temp = above && (!*above || file_mkdir(above) == 0) ? file_temporary_dir(to) : NULL;
    mem_free(above);
    return temp;
}

int convert_end(const char *temp, const char *to)
{
    return rename(temp, to) == 0
               ? 0
               : error_set("%s: cannot rename the finished folder: %s", to, strerror(errno));
}

void convert_abort(const char *temp)
{
    DIR *d = opendir(temp);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[4096];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", temp, e->d_name) < sizeof path &&
            e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(temp);
}

/* --- copies --- */

static bool is_companion(const char *name)
{
    static const char *const PATTERNS[] = {
        "tokenizer*.json",   "tokenizer.model", "special_tokens_map.json",
        "added_tokens.json", "vocab.json",      "vocab.txt",
        "merges.txt",        "*.tiktoken",      "generation_config.json",
        "*.jinja",           "chat_template*",  "LICENSE*",
        "NOTICE*",           "USE_POLICY*",
    };
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++)
        if (fnmatch(PATTERNS[i], name, 0) == 0)
            return true;
    return false;
}

static int copy_file(const char *from, const char *temp, const char *name)
{
    char *source = file_join(from, name), *target = file_join(temp, name), *data = NULL;
    size_t n;
    int rc = source && target ? 0 : -1;
    if (rc == 0 && !file_is_dir(source)) {
        rc = file_read(source, COPY_LIMIT, &data, &n);
        if (rc == 0)
            rc = file_save(target, data, n);
    }
    mem_free(data);
    mem_free(source);
    mem_free(target);
    return rc;
}

int convert_copy(const char *from, const char *temp)
{
    DIR *d = opendir(from);
    if (!d)
        return error_set("%s: cannot read the folder: %s", from, strerror(errno));
    int rc = 0;
    const struct dirent *e;
    while (rc == 0 && (e = readdir(d)))
        if (is_companion(e->d_name))
            rc = copy_file(from, temp, e->d_name);
    closedir(d);
    return rc;
}

/* --- the card --- */

/* Splits a card: its front matter (between lines of ---), and what follows. */
static const char *split_card(const char *text, const char **front, size_t *front_len)
{
    *front = "";
    *front_len = 0;
    if (strncmp(text, "---\n", 4) != 0)
        return text;
    const char *end = strstr(text + 3, "\n---");
    if (!end)
        return text;
    *front = text + 4;
    *front_len = end > text + 3 ? (size_t)(end - *front) + 1 : 0;
    const char *body = strchr(end + 1, '\n');
    return body ? body + 1 : "";
}

/* Keeps the lines of the old front matter that say what one may do with the model. */
static void add_licence(strbuf *out, const char *front, size_t n)
{
    for (const char *p = front, *end = front + n; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        size_t len = eol ? (size_t)(eol - p) + 1 : (size_t)(end - p);
        if (strncmp(p, "license", 7) == 0)
            strbuf_add(out, p, len);
        p += len;
    }
}

int convert_card(const char *from, const char *to, const char *temp, const char *what)
{
    char *source = file_join(from, "README.md"), *target = file_join(temp, "README.md"), *old = NULL;
    size_t n;
    int rc = source && target ? 0 : -1;
    if (rc == 0 && file_exists(source))
        rc = file_read(source, (size_t)16 << 20, &old, &n);
    const char *front = "", *body = "";
    size_t front_len = 0;
    if (old)
        body = split_card(old, &front, &front_len);
    size_t from_len, to_len;
    const char *from_name = last_part(from, &from_len), *to_name = last_part(to, &to_len);
    strbuf out = {0};
    strbuf_adds(&out, "---\n");
    add_licence(&out, front, front_len);
    strbuf_addf(&out,
                "library_name: mlx\npipeline_tag: text-generation\nbase_model: %.*s\ntags:\n- mlx\n---\n\n"
                "# %.*s\n\n%.*s in MLX's format (%s), converted with mica %s.\n\n",
                (int)from_len, from_name, (int)to_len, to_name, (int)from_len, from_name, what, MICA_VERSION);
    strbuf_adds(&out, "```\nmica generate --model . --prompt \"Once upon a time\"\n```\n");
    if (*body)
        strbuf_addf(&out, "\nThe original card follows.\n\n%s", body);
    if (rc == 0)
        rc = out.failed ? -1 : file_save(target, out.data, out.len);
    strbuf_free(&out);
    mem_free(old);
    mem_free(source);
    mem_free(target);
    return rc;
}
