/* Attention over a paged cache, and the cache's reads and writes. */
#ifndef MICA_CPU_PAGED_H
#define MICA_CPU_PAGED_H

#include "kernels/kv_block.h"
#include "mx/paged.h"

/* Positions of a chunk: what one step of attention covers. A row's result is put together from the chunks of
 * its sequence in order, each of them computed in one way only: this is why it does not depend on how rows
 * and chunks are dealt out. */
enum {
    PAGED_KEYS = 256,
    PAGED_BLOCKS = PAGED_KEYS / KV_POSITIONS,
    PAGED_AHEAD = 4 /* blocks that are fetched while one is computed with */
};

typedef struct paged_args {
    kv_block block;
    const char *pool;
    size_t n_blocks; /* of the pool */
    size_t sequences, max_blocks;
    const int32_t *tables, *lengths, *starts;
    const float *sinks; /* or NULL */
    float scale, softcap;
    size_t window;
    size_t rows, heads;
    size_t v_in_k; /* values are that many numbers of keys, or 0 */
    const void *q; /* (rows, heads, k_dim), dense */
    void *out;     /* (rows, heads, v_dim), dense */
    mlx_dtype dtype;
} paged_args;

/* 0, or -1 with an error: an entry that does not fit, no memory. */
int cpu_paged_attention(const paged_args *a);

/* Some rows of queries that share a head of keys, against the blocks of one chunk. */
typedef struct paged_tile {
    const kv_block *block; /* of the values: also where they are in the keys */
    size_t rows, blocks;
    /* The head's parts of the blocks; behind the last ones, what will be read next. */
    const char *keys[PAGED_BLOCKS + PAGED_AHEAD], *values[PAGED_BLOCKS + PAGED_AHEAD];
    const char *q; /* prepared rows, q_step bytes apart */
    size_t q_step;
    float *scores; /* [row][PAGED_KEYS] for the blocks at hand: scores, later weights */
    float *out;    /* [row][v_width] weighted sums of values */
    void *work;    /* paged_kernels.work_bytes */
} paged_tile;

typedef struct paged_kernels {
    /* Bytes of a prepared row of queries; bytes of scratch for `rows` rows. */
    size_t (*q_bytes[KV_KINDS])(const kv_block *b);
    size_t (*work_bytes[KV_KINDS])(const kv_block *b, size_t rows);
    /* Prepares k_dim numbers; q is padded with zeros to whole words of keys. */
    void (*prepare[KV_KINDS])(const kv_block *b, const float *q, void *dst);
    /* scores[r][16 i + j] = q of row r times key of position j of block i */
    void (*scores[KV_KINDS])(const paged_tile *t);
    /* out[r][d] = sum over positions of scores[r][p] * value of position p */
    void (*values[KV_KINDS])(const paged_tile *t);

    /* scores [0, n) of a row become weights exp(s - max), of those outside [low, high) zero; n is a multiple
     * of 16. softcap as in mx_paged_params. */
    void (*softmax)(float *s, size_t n, size_t low, size_t high, float softcap, float *max, float *sum);
    /* total = total * a + part * b */
    void (*merge)(float *total, const float *part, size_t n, float a, float b);
} paged_kernels;

struct cpu_kernels;
/* cpu_paged_attention with a table of one's choice: for tests and benchmarks. */
int cpu_paged_attention_with(const struct cpu_kernels *t, const paged_args *a);

/* Stores rows of numbers (T, heads, dim) as keys or values at slots. */
void cpu_kv_store(const kv_block *b, char *pool, const void *x, mlx_dtype dtype, const int32_t *slots,
                  size_t rows, bool key);
/* Reads `dim` numbers of each head of each slot, float32, dense; zeros for slots of -1. */
void cpu_kv_load(const kv_block *b, const char *pool, const int32_t *slots, size_t rows, bool key, size_t dim,
                 float *out);

#endif
