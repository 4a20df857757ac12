/* Patterns compiled and matched by PCRE2, with its JIT where there is one. Matching has a step limit (set by
 * the encoder), so that a hostile pattern fails and does not hang; all memory but the machine code comes from
 * base/mem.h. */
#include "text/tokenizer_parts.h"

#include "base/mem.h"
#include "base/utf8.h"

#define MAX_PATTERN 65536

static void *take(size_t n, void *tag)
{
    (void)tag;
    return mem_alloc(n, 1);
}

static void give(void *p, void *tag)
{
    (void)tag;
    mem_free(p);
}

pcre2_general_context *pattern_memory(void) { return pcre2_general_context_create(take, give, NULL); }

/* Compiles translated text. */
static int compile(pattern *p, const strbuf *text, const char *name, const char *shown, size_t shown_n)
{
    int status = -1;
    pcre2_general_context *general = pattern_memory();
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (context) {
        int code;
        PCRE2_SIZE where;
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        p->code = pcre2_compile((PCRE2_SPTR)strbuf_text(text), text->len,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
                                &where, context);
        if (p->code) {
            bool stale = error_pending();
            p->jit = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0; /* else it is interpreted */
            status = error_pending() && !stale ? -1 : 0;                  /* unless memory was short */
        } else {
            PCRE2_UCHAR why[128];
            pcre2_get_error_message(code, why, sizeof why);
            error_set("%s: the pattern \"%.*s\" cannot be used: %s", name, (int)shown_n, shown, (char *)why);
        }
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    return status;
}

int pattern_compile(pattern *p, const char *name, const char *text, size_t n)
{
    strbuf out = {0};
    const char *why;
    size_t shown = n < 200 ? n : 200;
    if (n == 0 || n > MAX_PATTERN)
        return error_set("%s: a pattern of %zu bytes", name, n);
    int status = -1;
    if (!pattern_translate(text, n, &out, &why))
        error_set("%s: the pattern \"%.*s\" cannot be used: %s", name, (int)shown, text, why);
    else if (!out.failed)
        status = compile(p, &out, name, text, shown);
    strbuf_free(&out);
    return status;
}

void pattern_free(pattern *p)
{
    pcre2_code_free(p->code);
    *p = (pattern){0};
}

/* One search from it->from; PCRE2's result. */
static int search(pattern_iter *it)
{
    PCRE2_SPTR text = (PCRE2_SPTR)it->text;
    const pattern *p = it->pattern;
    if (p->jit) {
        int rc = pcre2_jit_match(p->code, text, it->n, it->from, 0, it->data, it->context);
        if (rc != PCRE2_ERROR_JIT_STACKLIMIT)
            return rc;
    }
    return pcre2_match(p->code, text, it->n, it->from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, it->data,
                       it->context);
}

int pattern_next(pattern_iter *it, size_t *start, size_t *end)
{
    while (it->from <= it->n) {
        int rc = search(it);
        if (rc == PCRE2_ERROR_NOMATCH)
            return 0;
        if (rc < 0) {
            PCRE2_UCHAR why[128];
            pcre2_get_error_message(rc, why, sizeof why);
            return error_set("tokenizer: a pattern gave up on the text: %s", (char *)why);
        }
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(it->data);
        *start = span[0];
        *end = span[1];
        if (span[0] != span[1] || span[1] != it->last) {
            it->from = it->last = span[1];
            return 1;
        }
        uint32_t c; /* an empty match where the last one ended: go on behind the next character */
        it->from += it->from < it->n ? (size_t)utf8_decode(it->text + it->from, it->n - it->from, &c) : 1;
    }
    return 0;
}
