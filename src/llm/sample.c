/* Sampling in plain C on one row of logits.
 *
 * Order, as in mlx-lm: penalties -> log-probabilities -> (temp 0: the largest) top_p, min_p, xtc, top_k, each
 * on what the one before left, without renormalising -> a draw from softmax(logprobs / temp).
 *
 * Nothing sorts the vocabulary. A filter that needs an order gathers the tokens above a bound that is lowered
 * until they are enough, and sorts those; what it keeps is exactly what the full sort would keep. The draw
 * adds Gumbel noise to every token and takes the largest: noise is at most GUMBEL_MAX, so only tokens within
 * that reach of the best sum so far have theirs computed, from their own place in the threefry sequence. */
#include "llm/sample.h"

#include "base/error.h"
#include "base/mem.h"
#include "kernels/math.h"
#include "kernels/threefry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Above -log(-log(u)) for the largest u below 1, with room for rounding. */
#define GUMBEL_MAX 16.7f
#define BELOW_ONE  0x1.fffffep-1f

static int check_options(const lm_sampling *o, int vocab)
{
    if (!(o->temp >= 0) || isinf(o->temp))
        return error_set("temp must be 0 or more, not %g", (double)o->temp);
    if (!(o->top_p >= 0 && o->top_p <= 1))
        return error_set("top_p must be from 0 to 1, not %g", (double)o->top_p);
    if (!(o->min_p >= 0 && o->min_p <= 1))
        return error_set("min_p must be from 0 to 1, not %g", (double)o->min_p);
    if (o->min_tokens_to_keep < 1)
        return error_set("min_tokens_to_keep must be 1 or more, not %d", o->min_tokens_to_keep);
    if (o->top_k < 0 || o->top_k >= vocab)
        return error_set("top_k must be from 0 to %d (the vocabulary less one), not %d", vocab - 1, o->top_k);
    if (!(o->xtc_probability >= 0 && o->xtc_probability <= 1))
        return error_set("xtc_probability must be from 0 to 1, not %g", (double)o->xtc_probability);
    if (!(o->xtc_threshold >= 0 && o->xtc_threshold <= 0.5f))
        return error_set("xtc_threshold must be from 0 to 0.5, not %g", (double)o->xtc_threshold);
    if (!(o->repetition_penalty >= 0) || isinf(o->repetition_penalty))
        return error_set("repetition_penalty must be 0 or more, not %g", (double)o->repetition_penalty);
    if (!isfinite(o->presence_penalty) || !isfinite(o->frequency_penalty))
        return error_set("presence_penalty and frequency_penalty must be numbers");
    if (o->repetition_context < 0 || o->presence_context < 0 || o->frequency_context < 0)
        return error_set("a penalty's context must be 0 (everything) or more");
    return 0;
}

int sampler_init(sampler *s, const lm_sampling *options, int vocab, const int *special, size_t n_special)
{
    *s = (sampler){.options = *options, .vocab = vocab, .special = special, .n_special = n_special};
    if (check_options(options, vocab))
        return -1;
    struct timespec now = {0};
    if (!options->seeded)
        timespec_get(&now, TIME_UTC);
    threefry_key(options->seeded ? options->seed : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                 s->state);
    s->candidates = mem_alloc((size_t)vocab, sizeof *s->candidates);
    s->counts = mem_calloc((size_t)vocab, sizeof *s->counts);
    if (s->candidates && s->counts)
        return 0;
    sampler_free(s);
    return -1;
}

void sampler_free(sampler *s)
{
    mem_free(s->candidates);
    mem_free(s->counts);
    s->candidates = NULL;
    s->counts = NULL;
}

/* --- penalties --- */

/* The last `context` of the history (0 = all). */
static const int *tail(const int *history, size_t n, int context, size_t *count)
{
    *count = context == 0 || (size_t)context > n ? n : (size_t)context;
    return n ? history + (n - *count) : history;
}

static float repeat(float logit, float r) { return logit < 0 ? logit * r : logit / r; }

void sampler_penalize(sampler *s, float *logits, const int *history, size_t n)
{
    const lm_sampling *o = &s->options;
    const float kinds[] = {o->repetition_penalty, o->presence_penalty, o->frequency_penalty};
    const int contexts[] = {o->repetition_context, o->presence_context, o->frequency_context};
    for (int kind = 0; kind < 3; kind++) {
        if (kinds[kind] == 0)
            continue;
        size_t count;
        const int *ids = tail(history, n, contexts[kind], &count);
        for (size_t i = 0; i < count; i++)
            s->counts[ids[i]]++;
        for (size_t i = 0; i < count; i++) {
            uint32_t times = s->counts[ids[i]];
            float *x = &logits[ids[i]];
            if (times && kind == 0)
                *x = repeat(*x, kinds[kind]);
            else if (times)
                *x -= kinds[kind] * (kind == 1 ? 1 : (float)times);
            s->counts[ids[i]] = 0;
        }
    }
}

int sampler_normalize(const sampler *s, float *logits, int *best)
{
    size_t n = (size_t)s->vocab;
    float top = -INFINITY, bad = 0;
    for (size_t i = 0; i < n; i++) {
        top = logits[i] > top ? logits[i] : top;
        bad += logits[i] * 0; /* NaN for NaN and infinities */
    }
    if (bad != 0) /* -inf alone is fine: a processor may forbid tokens */
        for (size_t i = 0; i < n; i++)
            if (isnan(logits[i]) || logits[i] == INFINITY)
                return error_set(
                    "the model gave %s as logit of token %zu; its weights are damaged or overflowed",
                    isnan(logits[i]) ? "NaN" : "infinity", i);
    if (top == -INFINITY)
        return error_set("every token is forbidden: there is nothing to choose from");
    double sum = 0;
    for (size_t i = 0; i < n;) {
        float part = 0;
        for (size_t end = i + 4096 < n ? i + 4096 : n; i < end; i++)
            part += m_exp_f32(logits[i] - top);
        sum += (double)part;
    }
    float lse = top + (float)log(sum);
    *best = -1;
    for (size_t i = 0; i < n; i++) {
        if (*best < 0 && logits[i] == top)
            *best = (int)i;
        logits[i] -= lse;
    }
    return 0;
}

/* --- filters --- */

/* Descending; of equal ones the higher id first, as at the end of an ascending stable sort. */
static int descending(const void *a, const void *b)
{
    const sample_candidate *x = a, *y = b;
    if (x->logprob != y->logprob)
        return x->logprob > y->logprob ? -1 : 1;
    return (x->id < y->id) - (x->id > y->id);
}

/* All tokens with lp >= bound that were not removed, sorted. */
static size_t gather(sampler *s, const float *lp, float bound)
{
    size_t count = 0;
    bound = bound > -INFINITY ? bound : -3.4e38f;
    for (int i = 0; i < s->vocab; i++)
        if (lp[i] >= bound)
            s->candidates[count++] = (sample_candidate){lp[i], i};
    qsort(s->candidates, count, sizeof *s->candidates, descending);
    return count;
}

static float largest(const sampler *s, const float *lp)
{
    float top = lp[0];
    for (int i = 1; i < s->vocab; i++)
        top = lp[i] > top ? lp[i] : top;
    return top;
}

/* Removes all but the first `keep` candidates. */
static void keep_first(const sampler *s, float *lp, size_t keep)
{
    for (int i = 0; i < s->vocab; i++)
        lp[i] = -INFINITY;
    for (size_t i = 0; i < keep; i++)
        lp[s->candidates[i].id] = s->candidates[i].logprob;
}

/* The bounds to try, below the largest log-probability. */
static const float REACH[] = {3, 6, 12, 24, INFINITY};
enum { REACHES = sizeof REACH / sizeof *REACH };

/* Sorted ascending, a token stays if the sum up to and with it exceeds 1 - p: that is, if those above it sum
 * to less than p. */
static void top_p(sampler *s, float *lp)
{
    float top = largest(s, lp);
    double p = s->options.top_p;
    for (int r = 0; r < REACHES; r++) {
        size_t n = gather(s, lp, top - REACH[r]), keep = 0;
        double above = 0;
        for (; keep < n && above < p; keep++)
            above += exp((double)s->candidates[keep].logprob);
        if (above >= p || r + 1 == REACHES) {
            keep_first(s, lp, keep);
            return;
        }
    }
}

/* Gathers at least k tokens, if there are as many. */
static size_t gather_top(sampler *s, const float *lp, size_t k)
{
    float top = largest(s, lp);
    for (int r = 0;; r++) {
        size_t n = gather(s, lp, top - REACH[r]);
        if (n >= k || r + 1 == REACHES)
            return n;
    }
}

static void min_p(sampler *s, float *lp)
{
    float bound = largest(s, lp) + logf(s->options.min_p);
    size_t need = (size_t)s->options.min_tokens_to_keep, n = gather(s, lp, bound), keep = n;
    if (keep < need) {
        n = gather_top(s, lp, need);
        keep = n < need ? n : need;
    }
    keep_first(s, lp, keep);
}

static bool is_special(const sampler *s, int id)
{
    for (size_t i = 0; i < s->n_special; i++)
        if (s->special[i] == id)
            return true;
    return false;
}

/* Of the tokens more probable than the threshold only the least probable stays. */
static void xtc(sampler *s, float *lp)
{
    if (sampler_uniform(s) > s->options.xtc_probability)
        return;
    double sum = 0; /* the filters before may have removed tokens */
    for (int i = 0; i < s->vocab; i++)
        sum += lp[i] > -INFINITY ? (double)m_exp_f32(lp[i]) : 0;
    float lse = (float)log(sum), least = INFINITY;
    for (int i = 0; i < s->vocab; i++)
        if (lp[i] < least && m_exp_f32(lp[i] - lse) > s->options.xtc_threshold)
            least = lp[i];
    for (int i = 0; i < s->vocab; i++)
        if (lp[i] > least && !is_special(s, i))
            lp[i] = -INFINITY;
}

static void top_k(sampler *s, float *lp)
{
    size_t k = (size_t)s->options.top_k, n = gather_top(s, lp, k);
    keep_first(s, lp, n < k ? n : k);
}

void sampler_filter(sampler *s, float *lp)
{
    const lm_sampling *o = &s->options;
    if (o->top_p > 0 && o->top_p < 1)
        top_p(s, lp);
    if (o->min_p != 0)
        min_p(s, lp);
    if (o->xtc_probability > 0)
        xtc(s, lp);
    if (o->top_k > 0)
        top_k(s, lp);
}

/* --- the draw --- */

/* MLX's default sequence: each draw splits the state into the next state and its own key. */
static void next_key(sampler *s, uint32_t key[2])
{
    uint32_t keys[4];
    threefry_split(s->state, 2, keys);
    memcpy(s->state, keys, sizeof s->state);
    memcpy(key, keys + 2, 2 * sizeof *key);
}

static float uniform_of(uint32_t bits)
{
    float u = (float)bits / 0x1p32f;
    return u < BELOW_ONE ? u : BELOW_ONE;
}

float sampler_uniform(sampler *s)
{
    uint32_t key[2], bits;
    next_key(s, key);
    threefry_bits(key, &bits, sizeof bits);
    return uniform_of(bits);
}

/* The Gumbel noise of token i of n. */
static float gumbel(const uint32_t key[2], size_t n, size_t i)
{
    size_t pairs = n / 2 + n % 2, first = i < pairs ? i : i - pairs, second = pairs + first;
    uint32_t h[2];
    threefry_hash(key, (uint32_t)first, second < n ? (uint32_t)second : 0, h);
    return -logf(-logf(uniform_of(h[i >= pairs])));
}

int sampler_categorical(sampler *s, const float *lp)
{
    uint32_t key[2];
    next_key(s, key);
    size_t n = (size_t)s->vocab, best = 0;
    float inverse = fminf((float)(1 / (double)s->options.temp), 1e30f); /* finite: 0 * it must be 0 */
    for (size_t i = 1; i < n; i++)
        best = lp[i] > lp[best] ? i : best;
    float sum = lp[best] * inverse + gumbel(key, n, best);
    for (size_t i = 0; i < n; i++) {
        float x = lp[i] * inverse;
        if (!(x + GUMBEL_MAX >= sum) || i == best)
            continue;
        x += gumbel(key, n, i);
        if (x > sum || (x == sum && i < best)) {
            sum = x;
            best = i;
        }
    }
    return (int)best;
}

int sampler_draw(sampler *s, float *logits, const int *history, size_t n, int *id, float *logprob)
{
    sampler_penalize(s, logits, history, n);
    if (sampler_normalize(s, logits, id))
        return -1;
    if (s->options.temp == 0) {
        *logprob = logits[*id];
        return 0;
    }
    sampler_filter(s, logits);
    *id = sampler_categorical(s, logits);
    *logprob = logits[*id];
    return 0;
}
