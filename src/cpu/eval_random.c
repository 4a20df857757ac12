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
    size_t bytes = node_bytes(j->n), pairs = threefry_pairs(bytes), whole = threefry_whole_pairs(bytes);
    uint32_t *out = (uint32_t *)j->n->data;
    size_t stop = whole < end ? whole : end;
    if (begin < stop) {
        cpu_kernels_get()->random.threefry(j->key, (uint32_t)begin, (uint32_t)(pairs + begin), out + begin,
                                           out + pairs + begin, stop - begin);
        begin = stop;
    }
    threefry_bits_range(j->key, out, bytes, begin, end);
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
