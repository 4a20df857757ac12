/* Rotary positions, of the kinds that config.json describes. */
#ifndef MICA_NN_ROPE_H
#define MICA_NN_ROPE_H

#include "io/config.h"
#include "mx.h"

typedef struct nn_rope {
    int dims; /* the first `dims` entries of a head rotate */
    bool traditional;
    float base, scale;
    float mscale;    /* the rotated part is multiplied by it (yarn) */
    mlx_array freqs; /* a slot: periods / 2 pi, (dims / 2); null = powers of base */
} nn_rope;

/* The positions of the rows of x (B, H, L, D): first, first + 1 .. for every B; or one by one, (L) int32 with
 * B = 1, for rows of several sequences. */
typedef struct nn_positions {
    int first;
    mlx_array each; /* null: from first on */
} nn_positions;

/* Reads rope_theta with rope_scaling, or the newer rope_parameters; kinds default, linear, llama3 and yarn.
 * Another kind is an error of c. The result's slot is emptied by nn_rope_free. */
nn_rope nn_rope_from(const cfg *c, int head_dim);
void nn_rope_free(nn_rope *r);
/* Rotates x (B, H, L, D). */
mlx_array nn_rotate(const nn_rope *r, mlx_array x, nn_positions at);

#endif
