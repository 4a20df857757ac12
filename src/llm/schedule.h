/* Who computes what in the next step. No arrays, no text: sequences are lists of tokens of which a part is
 * computed, and the one rule is that each catches up with its list.
 *
 *     sched_submit(s, &sequence)                      any time between steps
 *     step = sched_plan(s)                            rows: sequence, first position, how many
 *     ... copy blocks, compute the rows, look at the last logits of those that are `last`
 *     sched_commit(s)                                 what was planned is computed
 *     sched_append(s, sequence, token)                or sched_remove, or sched_fork
 *
 * A decoding sequence may have drafts, guesses of what comes behind its tokens: they are computed along, and
 * those that turn out to be right (sched_accept) need no step of their own.
 *
 * A step has a budget of tokens. Sequences that decode come first, one token each; what is left goes to
 * prompts, in chunks: the first gets half, the next half of the rest and so on, and what nobody needs goes
 * back to the first. So a step never takes longer than its budget, whatever the prompts, and a short prompt
 * does not wait behind a long one. A waiting sequence is let in, in order of priority and arrival, when the
 * blocks for all its tokens are there; they are promised to it, not yet taken. When a decoding sequence finds
 * no block, the last in order gives all of its own back and waits again at its old place, to be computed anew
 * (from the cached prefix, if that is still there). A strictly higher priority does not wait for slots or
 * blocks of a lower one. */
#ifndef MICA_LLM_SCHEDULE_H
#define MICA_LLM_SCHEDULE_H

#include "kv/tables.h"

typedef enum { SCHED_IDLE, SCHED_WAITING, SCHED_RUNNING } sched_state;

/* One sequence; the owner's memory. Zero-initialise, fill the first part, submit. */
typedef struct sequence {
    void *owner;
    int priority; /* smaller comes first */
    int root;     /* KV_NONE or the node of a salt, held by the owner */
    bool unread;  /* takes nothing from the cache: logits are wanted at every position */
    size_t chunk; /* of its prompt in one step at most; 0: no limit */
    int *tokens;  /* prompt, then what was generated */
    size_t count, cap, prompt;
    /* --- the scheduler's --- */
    uint64_t arrival, forks; /* forks come right behind what they were made of */
    sched_state state;
    size_t at; /* place in the list or heap */
    size_t computed;
    size_t drafts; /* guesses at tokens[count] and on */
    size_t cached; /* tokens that the cache gave when it was let in last */
    unsigned preemptions;
    int promise[KV_GROUPS]; /* blocks that are kept free for it */
    kv_tables tables;
} sequence;

typedef struct sched_row {
    sequence *s;
    size_t start, count;
    bool last; /* these are all it has: the last one's logits give the next token */
} sched_row;

typedef struct sched_step {
    sched_row *rows; /* those whose tokens were drawn first, then those of prompts: none has both */
    size_t n, tokens;
    kv_copy *copies; /* to be done before, in order */
    size_t n_copies;
} sched_step;

typedef struct sched_options {
    int block_size, n_groups;
    kv_group groups[KV_GROUPS];
    int max_batch_tokens; /* of a step */
    int max_sequences;    /* that run at a time; at most max_batch_tokens */
    int max_waiting;      /* submitted and not let in; 0: no limit */
    bool no_prefix_cache;
    uint64_t hash_seed;
} sched_options;

typedef struct sched_counts {
    uint64_t steps, tokens, preemptions;
    uint64_t queried, hit; /* tokens of sequences let in, and those of them that the cache had */
} sched_counts;

typedef struct sched {
    sched_options options;
    kv_blocks blocks;
    sequence **running, **waiting; /* by order; a heap */
    size_t n_running, n_waiting, waiting_cap;
    int promised[KV_GROUPS];
    uint64_t arrivals;
    sched_step step;
    sched_counts counts;
} sched;

/* 0, or -1 with an error. */
int sched_init(sched *s, const sched_options *options);
/* No sequence may be left. */
void sched_free(sched *s);

/* The longest sequence that can ever run. */
size_t sched_capacity(const sched *s);
/* Takes in a sequence of at least one token. -1 with an error when it is longer than the capacity, when the
 * queue is full or memory is short; it is then not the scheduler's. */
int sched_submit(sched *s, sequence *q);
/* What the next step does; NULL if there is nothing to do. Good until commit; nothing else may be called
 * before it. */
const sched_step *sched_plan(sched *s);
/* The planned rows are computed. */
void sched_commit(sched *s);
/* The same when the step failed, and with it what the blocks held: all sequences wait to be computed anew,
 * and nothing is cached. */
void sched_rollback(sched *s);
/* Sets the drafts of a running sequence, for the next step alone; the plan may drop them. None without
 * memory. */
void sched_draft(sched *s, sequence *q, const int *ids, size_t n);
/* The token that was just appended is what the sequence's first draft said: it is computed, too. */
void sched_accept(sched *s, sequence *q);
/* Adds a token to a sequence whose tokens are all computed, which makes it decode, or to a fork that waits.
 * 0; -1 when out of memory or at the capacity. */
int sched_append(sched *s, sequence *q, int token);
/* A second sequence with the same tokens, all computed; it shares the first one's blocks. `child` is filled
 * as for submit, without tokens; at most 65535 of one. 0 or -1. */
int sched_fork(sched *s, sequence *q, sequence *child);
/* The sequence ends, in whatever state: its blocks are free at once. It keeps its tokens. */
void sched_remove(sched *s, sequence *q);
/* Frees the tokens and tables of a sequence that is idle. */
void sequence_free(sequence *q);

/* Is everything consistent? NULL, or what is not. */
const char *sched_check(const sched *s);

#endif
