/* Compares a tokenizer with the lines that tokenizer_oracle.mjs printed. Shared by the test programs. */
#ifndef MICA_TESTS_TOKENIZER_CHECK_H
#define MICA_TESTS_TOKENIZER_CHECK_H

#include "test.h"

#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

#include <limits.h>

/* One line: what the reference gives for a text. */
typedef struct oracle_line {
    char *text, *decoded, *skipped;
    size_t text_n, decoded_n, skipped_n;
    int *plain, *special;
    size_t n_plain, n_special;
} oracle_line;

static inline void oracle_ids(jr *r, int **ids, size_t *n)
{
    size_t cap = 0;
    *ids = NULL;
    *n = 0;
    jr_array(r);
    while (jr_item(r)) {
        int64_t id;
        assert_int_equal(jr_int(r, 0, INT_MAX, &id), 0);
        *ids = mem_grow(*ids, &cap, *n + 1, sizeof **ids);
        (*ids)[(*n)++] = (int)id;
    }
}

static inline void oracle_text(jr *r, char **text, size_t *n)
{
    jr_text s;
    assert_int_equal(jr_string(r, &s), 0);
    *text = mem_strndup(s.p, s.n);
    *n = s.n;
}

static inline void oracle_read(const char *line, size_t n, oracle_line *o)
{
    jr r;
    jr_open(&r, "oracle", line, n);
    jr_array(&r);
    assert_true(jr_item(&r));
    oracle_text(&r, &o->text, &o->text_n);
    assert_true(jr_item(&r));
    oracle_ids(&r, &o->plain, &o->n_plain);
    assert_true(jr_item(&r));
    oracle_ids(&r, &o->special, &o->n_special);
    assert_true(jr_item(&r));
    oracle_text(&r, &o->decoded, &o->decoded_n);
    assert_true(jr_item(&r));
    oracle_text(&r, &o->skipped, &o->skipped_n);
    assert_false(jr_item(&r));
    assert_int_equal(jr_finish(&r), 0);
}

static inline void oracle_free(oracle_line *o)
{
    mem_free(o->text);
    mem_free(o->decoded);
    mem_free(o->skipped);
    mem_free(o->plain);
    mem_free(o->special);
}

static inline bool same_ids(const tokenizer *t, const oracle_line *o, bool add_special)
{
    int *ids;
    size_t n, want = add_special ? o->n_special : o->n_plain;
    assert_ok(tokenizer_encode(t, o->text, o->text_n, add_special, &ids, &n) == 0);
    bool same =
        n == want && (n == 0 || memcmp(ids, add_special ? o->special : o->plain, n * sizeof *ids) == 0);
    if (!same) {
        fprintf(stderr, "text of %zu bytes: %.*s\n  got ", o->text_n, (int)o->text_n, o->text);
        for (size_t i = 0; i < n; i++)
            fprintf(stderr, " %d", ids[i]);
        fprintf(stderr, "\n  want");
        for (size_t i = 0; i < want; i++)
            fprintf(stderr, " %d", (add_special ? o->special : o->plain)[i]);
        fprintf(stderr, "\n");
    }
    mem_free(ids);
    return same;
}

/* Decodes at once and by streaming; both must give the reference's text. */
static inline bool same_text(const tokenizer *t, const oracle_line *o, bool skip)
{
    size_t n, want_n = skip ? o->skipped_n : o->decoded_n, at = 0, len;
    const char *want = skip ? o->skipped : o->decoded, *piece;
    char *got = tokenizer_decode(t, o->special, o->n_special, skip, &n);
    assert_non_null(got);
    bool same = n == want_n && memcmp(got, want, n) == 0;
    if (!same)
        fprintf(stderr, "decode of %.*s\n  got  %s\n  want %s\n", (int)o->text_n, o->text, got, want);
    detok *d = detok_new(t, skip);
    assert_non_null(d);
    for (size_t i = 0; i <= o->n_special; i++) {
        int status =
            i < o->n_special ? detok_add(d, o->special[i], &piece, &len) : detok_finish(d, &piece, &len);
        assert_int_equal(status, 0);
        assert_true(at + len <= n && memcmp(got + at, piece, len) == 0);
        at += len;
    }
    assert_int_equal(at, n);
    detok_free(d);
    mem_free(got);
    return same;
}

/* Runs all lines of a file; returns how many there were. Every difference is printed; any fails the test. */
static inline size_t oracle_compare(const tokenizer *t, const char *path)
{
    file_map m;
    size_t count = 0, wrong = 0;
    assert_ok(file_map_open(&m, path) == 0);
    for (const char *p = m.data, *end = m.data + m.size, *nl; p < end; p = nl + 1, count++) {
        oracle_line o = {0};
        nl = memchr(p, '\n', (size_t)(end - p));
        assert_non_null(nl);
        oracle_read(p, (size_t)(nl - p), &o);
        bool same = same_ids(t, &o, false);
        same &= same_ids(t, &o, true);
        same &= same_text(t, &o, false);
        same &= same_text(t, &o, true);
        wrong += !same;
        oracle_free(&o);
    }
    file_map_close(&m);
    if (wrong)
        fail_msg("%zu of %zu texts differ from the reference", wrong, count);
    return count;
}

#endif
