/* Tokens per second of the engine by the number of sequences at a time, beside a session's for one.
 *
 *     bench_engine MODEL [TOKENS [PROMPT]]
 *
 * Every sequence has a prompt of its own, random ids, and generates TOKENS tokens; what is measured is the
 * time in which all of them decode. The step is split into the model and what is around it. */
#include "base/clock.h"
#include "llm/engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 64 };

static uint32_t seed = 1;

static int random_id(int vocab)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 8) % vocab;
}

static int *random_prompt(const lm_model *m, size_t n)
{
    int *ids = malloc(n * sizeof *ids);
    for (size_t i = 0; ids && i < n; i++)
        ids[i] = random_id(lm_model_info(m).vocab_size);
    return ids;
}

static double session(const lm_model *m, int tokens, size_t n)
{
    lm_session *s = lm_session_new(m);
    lm_generate_options o = LM_GENERATE_DEFAULT;
    lm_stats stats = {0};
    int *ids = random_prompt(m, n);
    o.max_tokens = tokens;
    o.ignore_eos = true;
    if (!s || !ids || lm_generate(s, ids, n, &o, NULL, NULL, &stats))
        fprintf(stderr, "bench_engine: %s\n", lm_error());
    free(ids);
    lm_session_free(s);
    return stats.generation_tps;
}

/* Tokens per second of `count` sequences, and the part of the time that is not the model. */
static double engine(const lm_model *m, int count, int tokens, size_t n, double *outside)
{
    lm_engine *e = lm_engine_new(m, &(lm_engine_options){.max_batch_tokens = 512});
    for (int i = 0; e && i < count; i++) {
        lm_request r = LM_REQUEST_DEFAULT;
        int *ids = random_prompt(m, n);
        r.prompt = ids;
        r.n_prompt = n;
        r.max_tokens = tokens;
        r.ignore_eos = true;
        if (lm_engine_submit(e, &r, NULL, NULL, NULL))
            fprintf(stderr, "bench_engine: %s\n", lm_error());
        free(ids);
    }
    lm_engine_stats before = {0}, after = {0};
    double start = 0, end = 0, forward = 0;
    while (e && lm_engine_step(e) > 0) {
        lm_engine_get_stats(e, &after);
        if (start > 0 && after.running == (size_t)count) {
            end = clock_seconds();
        } else if (start == 0 && after.last_step_tokens == (size_t)count) { /* all decode */
            before = after;
            start = clock_seconds();
            forward = e->forward;
        }
        if (end > 0 && after.running == (size_t)count)
            *outside = 1 - (e->forward - forward) / (end - start);
    }
    double done = (double)(after.steps - 1 - before.steps) * count;
    lm_engine_free(e);
    return end > start ? done / (end - start) : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_engine MODEL [TOKENS [PROMPT]]\n");
        return 2;
    }
    int tokens = argc > 2 ? atoi(argv[2]) : 128;
    size_t prompt = argc > 3 ? (size_t)atoi(argv[3]) : 32;
    lm_model *m = lm_load(argv[1], &(lm_load_options){.no_tokenizer = true});
    if (!m || tokens < 4 || prompt < 1) {
        fprintf(stderr, "bench_engine: %s\n", m ? "wrong numbers" : lm_error());
        return 1;
    }
    printf("sequences  tokens/s  each  of one session  outside the model\n");
    for (int count = 1; count <= MOST; count *= 2) {
        double one = session(m, tokens, prompt), outside = 0;
        double all = engine(m, count, tokens, prompt, &outside);
        printf("%9d %9.1f %5.1f %14.2fx %17.1f%%\n", count, all, all / count, all / one, outside * 100);
        fflush(stdout);
    }
    lm_free(m);
    lm_shutdown();
    return 0;
}
