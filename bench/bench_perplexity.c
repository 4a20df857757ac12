/* Perplexity of a model on a text, exact and with int8 activations: what the faster products cost in quality.
 *
 * Windows of W tokens side by side, nothing in front, the first token of each not scored. Usage:
 * bench_perplexity [MODEL [TEXT [WINDOWS [W]]]]; defaults: the story model and the text that it never saw, 8
 * windows of 1024. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "mica.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Sum of -log p of the ids that follow, for n positions. */
static double surprise(const float *logits, const int *next, size_t n, size_t vocab)
{
    double total = 0;
    for (size_t i = 0; i < n; i++, logits += vocab) {
        double max = -INFINITY, sum = 0;
        for (size_t k = 0; k < vocab; k++)
            max = logits[k] > max ? logits[k] : max;
        for (size_t k = 0; k < vocab; k++)
            sum += exp(logits[k] - max);
        total += max + log(sum) - logits[next[i]];
    }
    return total;
}

static int measure(const char *path, const char *text, size_t size, size_t windows, size_t width,
                   lm_precision precision)
{
    lm_load_options options = {.precision = precision, .kv_dtype = "float32"};
    lm_model *model = lm_load(path, &options);
    int *ids = NULL, rc = -1;
    size_t n = 0, scored = 0;
    if (!model || lm_tokenize(model, text, size, false, &ids, &n))
        goto done;
    size_t vocab = (size_t)lm_model_info(model).vocab_size;
    float *logits = malloc(width * vocab * sizeof *logits);
    double total = 0, start = clock_seconds();
    for (size_t w = 0, at = 0; logits && w < windows && at + 1 < n; w++, at += width) {
        size_t count = n - at < width ? n - at : width;
        lm_session *s = lm_session_new(model);
        if (!s || lm_logits(s, ids + at, count - 1, true, logits))
            goto done;
        total += surprise(logits, ids + at + 1, count - 1, vocab);
        scored += count - 1;
        lm_session_free(s);
    }
    free(logits);
    printf("perplexity %s %-5s: %.4f over %zu tokens, %.0f tokens/s\n", path,
           precision == LM_PRECISION_INT8 ? "int8" : "exact", exp(total / (double)scored), scored,
           (double)scored / (clock_seconds() - start));
    rc = 0;
done:
    lm_release(ids);
    lm_free(model);
    if (rc)
        fprintf(stderr, "%s\n", lm_error());
    return rc;
}

int main(int argc, char **argv)
{
    const char *model = argc > 1 ? argv[1] : SOURCE_DIR "/models/story";
    const char *file = argc > 2 ? argv[2] : SOURCE_DIR "/tests/data/story/heldout.txt";
    size_t windows = argc > 3 ? strtoul(argv[3], NULL, 10) : 8,
           width = argc > 4 ? strtoul(argv[4], NULL, 10) : 1024;
    char *text;
    size_t size;
    if (width < 2 || file_read(file, (size_t)1 << 30, &text, &size)) {
        fprintf(stderr, "usage: bench_perplexity [MODEL [TEXT [WINDOWS [W]]]]\n");
        return 1;
    }
    int rc = measure(model, text, size, windows, width, LM_PRECISION_EXACT);
    if (rc == 0)
        rc = measure(model, text, size, windows, width, LM_PRECISION_INT8);
    mem_free(text);
    lm_shutdown();
    return rc ? 1 : 0;
}
