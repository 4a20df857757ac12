/* Random bits from a key (see kernels/threefry.h); any part can be made alone, so threads share the work. */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"
#include "kernels/threefry.h"

typedef struct random_job {
    uint32_t key[2];
    node *n;
} random_job;

static void bits_range(void *arg, size_t begin, size_t end)
{
    const random_job *j = arg;
    threefry_bits_range(j->key, j->n->data, node_bytes(j->n), begin, end);
}

int cpu_eval_random_bits(node *n)
{
    random_job j = {.n = n};
    const node *key = n->inputs[0];
    walk_copy_dense(key, (char *)j.key);
    if (node_allocate(n))
        return -1;
    size_t pairs = threefry_pairs(node_bytes(n));
    if (pairs)
        pool_for(pairs, 4096, bits_range, &j);
    return 0;
}
