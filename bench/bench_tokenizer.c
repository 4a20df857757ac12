/* Tokenizer speed: milliseconds to load, and megabytes of text a second for encoding, decoding and streaming.
 *
 *     bench_tokenizer [TOKENIZER [TEXT_FILE]]
 *
 * TOKENIZER is a model folder or a tokenizer.json (default models/story). Without a text, a made one is used:
 * words drawn with the skew of natural language. Times are the best of several runs, by processor time, so
 * that other programs disturb them little; the wall-clock time of the best load stands beside it. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 7

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static unsigned next(unsigned *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

/* A megabyte of words from a vocabulary of 20000, the frequent ones short. */
static char *made_text(size_t *n)
{
    strbuf s = {0};
    unsigned state = 1;
    while (s.len < 1u << 20) {
        unsigned rank = next(&state) % 20000;
        rank = next(&state) % (rank + 1);
        rank = next(&state) % (rank + 1);
        unsigned word = rank * 7919u + 17, length = 2 + (rank > 100) * 3 + rank % 5;
        for (unsigned i = 0; i < length; i++)
            strbuf_addc(&s, (char)('a' + next(&word) % 26));
        unsigned mark = next(&state) % 60;
        strbuf_adds(&s, mark < 4 ? ", " : mark < 7 ? ". " : mark == 7 ? ".\n\n" : mark == 8 ? " 1984 " : " ");
    }
    *n = s.len;
    return strbuf_take(&s);
}

static int fail(void)
{
    fprintf(stderr, "bench_tokenizer: %s\n", error_text());
    return 1;
}

static tokenizer *load(const char *path)
{
    tokenizer *t = NULL;
    double best = 1e9, best_wall = 1e9;
    for (int i = 0; i < RUNS; i++) {
        tokenizer_free(t);
        double wall = seconds(CLOCK_MONOTONIC), start = seconds(CLOCK_PROCESS_CPUTIME_ID);
        t = tokenizer_load(path);
        double used = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
        wall = seconds(CLOCK_MONOTONIC) - wall;
        best = used < best ? used : best;
        best_wall = wall < best_wall ? wall : best_wall;
        if (!t)
            return NULL;
    }
    printf("load      %8.1f ms processor time, %.1f ms wall  (%d tokens)\n", best * 1e3, best_wall * 1e3,
           tokenizer_vocab_size(t));
    return t;
}

static int stream(const tokenizer *t, const int *ids, size_t n)
{
    detok *d = detok_new(t, false);
    const char *text;
    size_t len;
    int status = d ? 0 : -1;
    for (size_t i = 0; i < n && !status; i++)
        status = detok_add(d, ids[i], &text, &len);
    detok_free(d);
    return status;
}

static int run(const tokenizer *t, const char *text, size_t n)
{
    double best[3] = {1e9, 1e9, 1e9};
    size_t count = 0;
    for (int i = 0; i < RUNS; i++) {
        int *ids;
        double start = seconds(CLOCK_PROCESS_CPUTIME_ID), used[3];
        if (tokenizer_encode(t, text, n, false, &ids, &count))
            return -1;
        used[0] = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
        char *back = tokenizer_decode(t, ids, count, false, NULL);
        used[1] = seconds(CLOCK_PROCESS_CPUTIME_ID) - start - used[0];
        int status = back ? stream(t, ids, count) : -1;
        used[2] = seconds(CLOCK_PROCESS_CPUTIME_ID) - start - used[0] - used[1];
        mem_free(back);
        mem_free(ids);
        if (status)
            return -1;
        for (int k = 0; k < 3; k++)
            best[k] = used[k] < best[k] ? used[k] : best[k];
    }
    double mb = (double)n / 1e6;
    printf("encode    %8.1f MB/s  (%zu bytes, %zu tokens)\ndecode    %8.1f MB/s\nstreaming %8.1f MB/s\n",
           mb / best[0], n, count, mb / best[1], mb / best[2]);
    return 0;
}

int main(int argc, char **argv)
{
    char *text = NULL;
    size_t n;
    tokenizer *t = load(argc > 1 ? argv[1] : "models/story");
    if (!t)
        return fail();
    if (argc > 2 ? file_read(argv[2], 1u << 30, &text, &n) : !(text = made_text(&n)))
        return fail();
    int status = run(t, text, n) ? fail() : 0;
    mem_free(text);
    tokenizer_free(t);
    return status;
}
