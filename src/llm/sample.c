/* Sampling in plain C on one row of logits.
 *
 * Order, as in mlx-lm: penalties -> log-probabilities -> (temp 0: the largest) top_p, min_p, xtc, top_k, each
 * on what the one before left, without renormalising -> a draw from softmax(logprobs / temp).
 *
 * Nothing sorts the vocabulary. A filter that needs an order counts the tokens into buckets by their distance
 * from the largest and sorts the one bucket where its bound falls; what it keeps is exactly what the full
 * sort would keep. The draw adds Gumbel noise to every token and takes the largest: noise is at most
 * GUMBEL_MAX, so only tokens within that reach of the best sum so far have theirs computed, from their own
 * place in the threefry sequence. */
#include "llm/sample.h"

#include "base/error.h"
#include "base/mem.h"
#include "kernels/math.h"
#include "kernels/threefry.h"

#include <math.h>
#include <stdint.h>
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

int sampler_init_within(sampler *s, const lm_sampling *options, const sampler *scratch)
{
    *s = *scratch;
    s->options = *options;
    if (check_options(options, s->vocab))
        return -1;
    struct timespec now = {0};
    if (!options->seeded)
        timespec_get(&now, TIME_UTC);
    threefry_key(options->seeded ? options->seed : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                 s->state);
    return 0;
}

int sampler_init(sampler *s, const lm_sampling *options, int vocab, const int *special, size_t n_special)
{
    const sampler none = {.vocab = vocab, .special = special, .n_special = n_special};
    if (sampler_init_within(s, options, &none))
        return -1;
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

/* Sums and maxima go over this many lanes, so that the compiler can use vectors and additions do not wait for
 * each other. */
enum { LANES = 16 };

/* The largest logit; *finite tells whether there is no NaN and no infinity. */
static float top_of(const float *x, size_t n, bool *finite)
{
    float top[LANES], bad[LANES];
    for (int k = 0; k < LANES; k++) {
        top[k] = -INFINITY;
        bad[k] = 0;
    }
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++) {
            top[k] = x[i + (size_t)k] > top[k] ? x[i + (size_t)k] : top[k];
            bad[k] += x[i + (size_t)k] * 0; /* NaN for NaN and infinities */
        }
    for (size_t i = whole; i < n; i++) {
        top[0] = x[i] > top[0] ? x[i] : top[0];
        bad[0] += x[i] * 0;
    }
    for (int k = 1; k < LANES; k++) {
        top[0] = top[k] > top[0] ? top[k] : top[0];
        bad[0] += bad[k];
    }
    *finite = bad[0] == 0;
    return top[0];
}

/* log(sum(exp(x))), given the largest. */
static float log_sum_exp(const float *x, size_t n, float top)
{
    double sum = 0;
    size_t i = 0;
    while (i + LANES <= n) {
        float lanes[LANES] = {0};
        for (size_t end = i + 256 * LANES; i + LANES <= n && i < end; i += LANES)
            for (int k = 0; k < LANES; k++)
                lanes[k] += m_exp_f32(x[i + (size_t)k] - top);
        for (int k = 0; k < LANES; k++)
            sum += (double)lanes[k];
    }
    for (; i < n; i++)
        sum += (double)m_exp_f32(x[i] - top);
    return top + (float)log(sum);
}

/* The first of the largest logits and log(sum(exp)) of all. -1 for NaN and +inf; -inf is fine: a forbidden
 * token. */
static int measure(const float *logits, size_t n, int *best, float *lse)
{
    bool finite;
    float top = top_of(logits, n, &finite);
    for (size_t i = 0; !finite && i < n; i++)
        if (isnan(logits[i]) || logits[i] == INFINITY)
            return error_set("the model gave %s as logit of token %zu; its weights are damaged or overflowed",
                             isnan(logits[i]) ? "NaN" : "infinity", i);
    if (top == -INFINITY)
        return error_set("every token is forbidden: there is nothing to choose from");
    *best = 0;
    while (logits[*best] != top)
        ++*best;
    *lse = log_sum_exp(logits, n, top);
    return 0;
}

int sampler_normalize(const sampler *s, float *logits, int *best)
{
    float lse;
    if (measure(logits, (size_t)s->vocab, best, &lse))
        return -1;
    for (int i = 0; i < s->vocab; i++)
        logits[i] -= lse;
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

static float largest(const sampler *s, const float *lp)
{
    float top = lp[0];
    for (int i = 1; i < s->vocab; i++)
        top = lp[i] > top ? lp[i] : top;
    return top;
}

enum { BUCKETS = 1024 };

/* Tokens are told apart by how far they are below the largest, in steps of 1/32 nat. */
static int bucket_of(float top, float lp)
{
    float at = (top - lp) * 32;
    return at < BUCKETS - 1 ? (int)at : BUCKETS - 1;
}

/* The bucket in which the sum of probabilities reaches `mass` or the number of tokens `count`, and both sums
 * above it; -1 if they never do. */
static int crossing(const sampler *s, const float *lp, float top, double mass, size_t count, double *sum,
                    size_t *n)
{
    double sums[BUCKETS] = {0};
    size_t counts[BUCKETS] = {0};
    for (int i = 0; i < s->vocab; i++) {
        if (lp[i] == -INFINITY)
            continue;
        int b = bucket_of(top, lp[i]);
        counts[b]++;
        sums[b] += isinf(mass) ? 0 : (double)m_exp_f32(lp[i]);
    }
    *sum = 0;
    *n = 0;
    for (int b = 0; b < BUCKETS; b++) {
        if (*sum + sums[b] >= mass || *n + counts[b] >= count)
            return b;
        *sum += sums[b];
        *n += counts[b];
    }
    return -1;
}

/* Keeps the most probable tokens until their probabilities sum to `mass` or there are `count`, the one that
 * gets there included. Only the bucket where that happens is sorted. */
static void keep_top(sampler *s, float *lp, double mass, size_t count)
{
    double sum;
    size_t n, members = 0;
    float top = largest(s, lp);
    int last = crossing(s, lp, top, mass, count, &sum, &n);
    if (last < 0)
        return;
    for (int i = 0; i < s->vocab; i++) {
        int b = lp[i] > -INFINITY ? bucket_of(top, lp[i]) : BUCKETS;
        if (b < last)
            continue;
        if (b == last)
            s->candidates[members++] = (sample_candidate){lp[i], i};
        lp[i] = -INFINITY;
    }
    qsort(s->candidates, members, sizeof *s->candidates, descending);
    for (size_t i = 0; i < members && sum < mass && n < count; i++, n++) {
        lp[s->candidates[i].id] = s->candidates[i].logprob;
        sum += isinf(mass) ? 0 : (double)m_exp_f32(s->candidates[i].logprob);
    }
}

/* Sorted ascending, a token stays if the sum up to and with it exceeds 1 - p: that is, if those above it sum
 * to less than p. */
static void top_p(sampler *s, float *lp) { keep_top(s, lp, (double)s->options.top_p, SIZE_MAX); }

static void top_k(sampler *s, float *lp) { keep_top(s, lp, (double)INFINITY, (size_t)s->options.top_k); }

static void min_p(sampler *s, float *lp)
{
    float bound = largest(s, lp) + logf(s->options.min_p);
    int count = 0;
    for (int i = 0; i < s->vocab; i++)
        count += lp[i] >= bound;
    if (count < s->options.min_tokens_to_keep) {
        keep_top(s, lp, (double)INFINITY, (size_t)s->options.min_tokens_to_keep);
        return;
    }
    for (int i = 0; i < s->vocab; i++)
        lp[i] = lp[i] >= bound ? lp[i] : -INFINITY;
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
    return -m_log_f32(-m_log_f32(uniform_of(h[i >= pairs])));
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

int sampler_lse(const float *logits, size_t n, float *lse)
{
    int best;
    return measure(logits, n, &best, lse);
}

int sampler_draw(sampler *s, float *logits, const int *history, size_t n, int *id, float *logprob)
{
    return sampler_draw_top(s, logits, history, n, id, logprob, NULL, 0);
}

/* The first of the largest, when nothing else is asked. -1 as measure. */
static int argmax(const float *logits, size_t n, int *best)
{
    bool finite;
    float top = top_of(logits, n, &finite), lse;
    if (!finite || top == -INFINITY)
        return measure(logits, n, best, &lse);
    *best = 0;
    while (logits[*best] != top)
        ++*best;
    return 0;
}

int sampler_draw_top(sampler *s, float *logits, const int *history, size_t n, int *id, float *logprob,
                     sample_candidate *top, size_t n_top)
{
    float lse = 0;
    bool greedy = s->options.temp == 0;
    sampler_penalize(s, logits, history, n);
    if (greedy && !logprob)
        return argmax(logits, (size_t)s->vocab, id);
    if (greedy ? measure(logits, (size_t)s->vocab, id, &lse) : sampler_normalize(s, logits, id))
        return -1;
    sampler_top(logits, (size_t)s->vocab, lse, top, n_top);
    if (!greedy) {
        sampler_filter(s, logits);
        *id = sampler_categorical(s, logits);
    }
    if (logprob)
        *logprob = logits[*id] - lse;
    return 0;
}
