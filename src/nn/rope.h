/* Rotary positions, of the kinds that config.json describes. */
#ifndef MICA_NN_ROPE_H
#define MICA_NN_ROPE_H

#include "io/config.h"
#include "mx.h"

typedef struct nn_rope {
    int dims; /* the first `dims` entries of a head rotate; 0: no rotation */
    bool traditional;
    float base, scale;
    float mscale;         /* the rotated part is multiplied by it (yarn, longrope) */
    mlx_array freqs;      /* a slot: periods / 2 pi, (dims / 2); null = powers of base */
    mlx_array long_freqs; /* a slot: what holds for texts of more than long_from positions (longrope) */
    int long_from;
} nn_rope;

/* The positions of the rows of x (B, H, L, D): first, first + 1 .. for every B; or one by one, (L) int32 with
 * B = 1, for rows of several sequences. */
typedef struct nn_positions {
    int first;
    int total;        /* positions of the whole text as far as it is known, this step's included */
    mlx_array each;   /* null: from first on */
    mlx_array totals; /* with each: (L) int32 */
} nn_positions;

/* Reads rope_theta with rope_scaling, or the newer rope_parameters; kinds default, linear, llama3, yarn and
 * longrope. Another kind is an error of c. The result's slots are emptied by nn_rope_free. */
nn_rope nn_rope_from(const cfg *c, int head_dim);
/* The same where rope_parameters may have an object for each layer type. theta: the default. */
nn_rope nn_rope_of_type(const cfg *c, const char *layer_type, int head_dim, float theta);
/* What yarn's mscale_all_dim multiplies the scores of latent attention with. */
float nn_rope_score_scale(const cfg *c);
void nn_rope_free(nn_rope *r);
/* Rotates x (B, H, L, D). */
mlx_array nn_rotate(const nn_rope *r, mlx_array x, nn_positions at);
/* The positions of L rows as float32 (L). */
mlx_array nn_position_numbers(nn_positions at, int L);

#endif
