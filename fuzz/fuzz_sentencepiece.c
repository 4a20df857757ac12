/* SentencePiece models from any bytes: what loads must encode a text or fail with an error, and its ids must
 * be tokens; nothing may leak. */
#include "base/error.h"
#include "base/mem.h"
#include "text/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static void use(const tokenizer *t)
{
    static const char text[] = " Hello  w\xC3\xB6rld \xE4\xBD\xA0\n</s> 12";
    int *ids;
    size_t count;
    if (tokenizer_encode(t, text, sizeof text - 1, true, &ids, &count)) {
        must(error_pending());
        return;
    }
    for (size_t i = 0; i < count; i++)
        must(tokenizer_token_text(t, ids[i], NULL) != NULL);
    char *back = tokenizer_decode(t, ids, count, false, NULL);
    must(back != NULL);
    mem_free(back);
    mem_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live();
    tokenizer *t = tokenizer_parse_model("fuzz", (const char *)data, size);
    must(t || error_pending());
    error_clear();
    if (t)
        use(t);
    error_clear();
    tokenizer_free(t);
    must(mem_live() == live);
    return 0;
}
