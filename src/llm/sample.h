/* From logits to a token, by mlx-lm's processors and samplers with MLX's random numbers: equal logits and an
 * equal seed give the token that mlx-lm draws. */
#ifndef MICA_LLM_SAMPLE_H
#define MICA_LLM_SAMPLE_H

#include "mica.h"

#include <stddef.h>
#include <stdint.h>

typedef lm_candidate sample_candidate;

/* One sequence's sampler; belongs to one thread. */
typedef struct sampler {
    lm_sampling options;
    int vocab;
    uint32_t state[2];  /* the key that the next draw splits */
    const int *special; /* ids that xtc never removes; borrowed */
    size_t n_special;
    sample_candidate *candidates; /* vocab places */
    uint32_t *counts;             /* vocab zeros between calls */
} sampler;

/* Checks the options (an error names the one that is out of range) and allocates. special must outlive it. */
int sampler_init(sampler *s, const lm_sampling *options, int vocab, const int *special, size_t n_special);
void sampler_free(sampler *s);
/* The same without memory of its own: it works in that of `scratch`, another sampler of this vocabulary,
 * while that draws nothing. Nothing to free. */
int sampler_init_within(sampler *s, const lm_sampling *options, const sampler *scratch);

/* Draws from `vocab` logits, which it overwrites. history: the n tokens so far, for the penalties. Gives the
 * id and its log-probability after the penalties, before the filters. -1 with an error when the logits hold
 * NaN or +inf. */
int sampler_draw(sampler *s, float *logits, const int *history, size_t n, int *id, float *logprob);
/* The same, and the n_top most probable tokens (at most the vocabulary), best first. logprob may be NULL: at
 * temp 0 that saves the sum, and top is left as it was. */
int sampler_draw_top(sampler *s, float *logits, const int *history, size_t n, int *id, float *logprob,
                     sample_candidate *top, size_t n_top);

/* --- the steps, each on its own; also what the tests look at --- */

/* Repetition, presence and frequency penalties, in that order. */
void sampler_penalize(sampler *s, float *logits, const int *history, size_t n);
/* logits -> log-probabilities in place; *best is the first of the largest. -1 for NaN and +inf. */
int sampler_normalize(const sampler *s, float *logits, int *best);
/* log(sum(exp)) of n logits. -1 for NaN and +inf. */
int sampler_lse(const float *logits, size_t n, float *lse);
/* The n_top largest of n numbers, less shift, descending; of equal ones the first. */
void sampler_top(const float *x, size_t n, float shift, sample_candidate *top, size_t n_top);
/* The filters that are on, in order: removed tokens become -inf. */
void sampler_filter(sampler *s, float *logprobs);
/* One draw from softmax(logprobs / temp). */
int sampler_categorical(sampler *s, const float *logprobs);
/* The next value of MLX's default sequence of uniform numbers. */
float sampler_uniform(sampler *s);

#endif
