/* Jinja2 templates, as far as chat templates go.
 *
 * The language is that of Python's jinja2 3.1 in the setting that chat templates are written for: immutable
 * sandbox, trim_blocks, lstrip_blocks, loop controls, the `generation` tag, `tojson` as json.dumps without
 * ASCII escapes, raise_exception and strftime_now. Rendered text is equal byte for byte.
 *
 * Refused, each with one clear error: include, import, extends, autoescape other than false, integers beyond
 * 64 bits, complex numbers, and what is random or made for web pages (random, lipsum, urlize, pprint).
 *
 * A compiled template is immutable: threads may share it. Rendering keeps all its state on the side. */
#ifndef MICA_TEXT_JINJA_H
#define MICA_TEXT_JINJA_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef struct jinja jinja;

typedef struct jinja_options {
    const char *now_iso; /* what strftime_now sees, "2024-07-26" or "2024-07-26T15:04:05"; NULL: the clock */
    size_t max_memory;   /* bytes of values; 0: 512 MiB */
    size_t max_output;   /* bytes of text; 0: 256 MiB */
    uint64_t max_steps;  /* work, about 20-50 ns each; 0: 50 million */
} jinja_options;

/* Compiles n bytes of UTF-8. NULL with an error that names the line. The text is not needed afterwards. */
jinja *jinja_compile(const char *text, size_t n);
void jinja_free(jinja *t);

/* Renders with the members of `vars` (a JSON object, or NULL) as variables; `options` may be NULL. Returns
 * NUL-terminated text that the caller frees (mem_free), its length in *len if len is not NULL; or NULL with
 * an error that names the line. `vars` is only read. */
char *jinja_render(const jinja *t, const json_t *vars, const jinja_options *options, size_t *len);

#endif
