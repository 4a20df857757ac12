/* The keys and values of many sequences, in pools of blocks: a kv_store (step.h) whose rows belong to one
 * sequence after another.
 *
 *     paged_init(&p, specs, n_layers, dtype, bits);        which layers, grouped by their windows
 *     paged_size(&p, memory, ..); paged_allocate(&p);      how many blocks, and the pools
 *     kv_step step;
 *     paged_begin(&p, spans, n, copies, n_copies, &step);  copies first, then the tables of this step
 *     logits = forward(model, tokens, &step);
 *     paged_eval(&p);
 *
 * Which block is whose is decided elsewhere (tables.h). A pool belongs to one thread at a time. */
#ifndef MICA_KV_PAGED_H
#define MICA_KV_PAGED_H

#include "kv/step.h"
#include "kv/tables.h"

/* Positions of a block. */
enum { PAGED_BLOCK = MX_KV_POSITIONS };

/* The rows of a step that belong to one sequence: positions start .. start + rows - 1, for which the tables
 * have room. states: its KV_STATES slots of each layer, if layers are recurrent. */
typedef struct paged_span {
    const kv_tables *tables;
    int start, rows;
    int total; /* positions of the whole text as far as it is known */
    mlx_array *states;
} paged_span;

typedef struct paged_layer {
    kv_spec spec;
    int group;
    mx_kv_layout layout;
    mlx_array pool; /* a slot: (blocks, bytes) */
} paged_layer;

typedef struct kv_paged {
    paged_layer *layers;
    int n_layers, n_groups;
    kv_group groups[KV_GROUPS];
    size_t state_bytes; /* of one sequence, in all recurrent layers; 0: none is */
    /* --- of the step that is built --- */
    const paged_span *spans;
    kv_span *rows;
    size_t n_spans, rows_cap;
    mlx_array lengths, starts; /* temporaries, see mx/paged.h, as these of each group */
    mlx_array tables[KV_GROUPS], slots[KV_GROUPS];
} kv_paged;

/* bits: 0, or quantized by 8 or 4. 0 or -1; paged_free in both cases. */
int paged_init(kv_paged *p, const kv_spec *specs, int n_layers, mlx_dtype dtype, int bits);
void paged_free(kv_paged *p);
/* Bytes of one block in all layers of a group. */
size_t paged_block_bytes(const kv_paged *p, int group);
/* Fills p->groups so that the pools take at most `memory` bytes: all groups alike, but a windowed one no more
 * than `sequences` of them, computing `step_tokens` at a time, can use. -1 with an error if that is no block.
 */
int paged_size(kv_paged *p, size_t memory, size_t sequences, size_t step_tokens);
/* New pools, whose contents are undefined. 0 or -1. */
int paged_allocate(kv_paged *p);
size_t paged_bytes(const kv_paged *p);

/* Starts building a step; its spans must live as long as the step. 0 or -1. */
int paged_begin(kv_paged *p, const paged_span *spans, size_t n, const kv_copy *copies, size_t n_copies,
                kv_step *step);
/* Computes what the step wrote, and nothing else of it. 0; -1 and the pools are lost. */
int paged_eval(const kv_paged *p);

#endif
