/* Random bits from a key (see kernels/threefry.h); any part can be made alone, so threads share the work. */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/walk.h"
#include "kernels/threefry.h"

#include <string.h>

typedef struct random_job {
    uint32_t key[2];
    size_t bytes;
    uint32_t *out;
} random_job;

static void bits_range(void *arg, size_t begin, size_t end)
{
    const random_job *j = arg;
    size_t bytes = j->bytes, pairs = threefry_pairs(bytes), whole = threefry_whole_pairs(bytes);
    uint32_t *out = j->out;
    size_t stop = whole < end ? whole : end;
    if (begin < stop) {
        cpu_kernels_get()->random.threefry(j->key, (uint32_t)begin, (uint32_t)(pairs + begin), out + begin,
                                           out + pairs + begin, stop - begin);
        begin = stop;
    }
    threefry_bits_range(j->key, out, bytes, begin, end);
}

/* Each key has its part of n, one after the other; a part may begin between words. */
static int fill(node *n, const char *keys, size_t count)
{
    random_job j = {.bytes = node_bytes(n) / count};
    buffer *room = j.bytes % sizeof *j.out && count > 1 ? buffer_new(j.bytes) : NULL;
    if (j.bytes % sizeof *j.out && count > 1 && !room)
        return -1;
    for (size_t i = 0; i < count; i++) {
        char *to = n->data + i * j.bytes;
        j.out = (uint32_t *)(void *)(room ? room->data : to);
        memcpy(j.key, keys + i * sizeof j.key, sizeof j.key);
        pool_for(threefry_pairs(j.bytes), 4096, bits_range, &j);
        if (room)
            memcpy(to, room->data, j.bytes);
    }
    buffer_release(room);
    return 0;
}

int cpu_eval_random_bits(node *n)
{
    const node *key = n->inputs[0];
    buffer *temp;
    const char *keys = walk_dense(key, &temp);
    int rc = keys ? node_allocate(n) : -1;
    if (rc == 0 && n->size)
        rc = fill(n, keys, key->size / 2);
    buffer_release(temp);
    return rc;
}
