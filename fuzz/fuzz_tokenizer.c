/* tokenizer.json and texts from any bytes. The input is a file and, behind its last NUL, a text. A tokenizer
 * that loads must encode the text or fail with an error, its ids must be tokens, and streaming must give
 * what decoding gives. */
#include "base/error.h"
#include "base/mem.h"
#include "text/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static void decode(const tokenizer *t, const int *ids, size_t n, bool skip)
{
    size_t len, piece_n, at = 0;
    const char *piece;
    char *all = tokenizer_decode(t, ids, n, skip, &len);
    detok *d = detok_new(t, skip);
    must(all && d);
    for (size_t i = 0; i <= n; i++) {
        must((i < n ? detok_add(d, ids[i], &piece, &piece_n) : detok_finish(d, &piece, &piece_n)) == 0);
        must(at + piece_n <= len && memcmp(all + at, piece, piece_n) == 0);
        at += piece_n;
    }
    must(at == len);
    detok_free(d);
    mem_free(all);
}

static void use(const tokenizer *t, const char *text, size_t n)
{
    int *ids;
    size_t count;
    if (tokenizer_encode(t, text, n, true, &ids, &count)) {
        must(error_pending());
        return;
    }
    for (size_t i = 0; i < count; i++)
        must(tokenizer_token_text(t, ids[i], NULL) != NULL);
    decode(t, ids, count, false);
    decode(t, ids, count, true);
    mem_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    size_t n = size;
    while (n > 0 && p[n - 1])
        n--;
    const char *text = p + n;
    size_t text_n = size - n, file_n = n ? n - 1 : size;
    size_t live = mem_live();
    tokenizer *t = tokenizer_parse("fuzz", p, file_n);
    must(t || error_pending());
    error_clear();
    if (t)
        use(t, n ? text : p, n ? text_n : 0);
    error_clear();
    tokenizer_free(t);
    must(mem_live() == live);
    return 0;
}
