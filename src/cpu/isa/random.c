/* Threefry for sixteen counters at a time, one in each lane of a vector; the words of a counter do not depend
 * on those of any other. */
#include "cpu/random.h"

#include "cpu/kernels.h"
#include "kernels/threefry.h"

enum { LANES = 16 };
typedef uint32_t lanes __attribute__((vector_size(LANES * 4)));

#define ROUND(n) \
    x += y;      \
    y = (y << n | y >> (32 - n)) ^ x;
#define FOUR_ROUNDS(a, b, c, d, block)                              \
    ROUND(a) ROUND(b) ROUND(c) ROUND(d) x += schedule[(block) % 3]; \
    y += schedule[((block) + 1) % 3] + (block);

static void threefry(const uint32_t key[2], uint32_t c0, uint32_t c1, uint32_t *first, uint32_t *second,
                     size_t n)
{
    const lanes steps = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint32_t schedule[3] = {key[0], key[1], key[0] ^ key[1] ^ THREEFRY_PARITY};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        lanes x = steps + (c0 + (uint32_t)i + schedule[0]), y = steps + (c1 + (uint32_t)i + schedule[1]);
        FOUR_ROUNDS(13, 15, 26, 6, 1)
        FOUR_ROUNDS(17, 29, 16, 24, 2)
        FOUR_ROUNDS(13, 15, 26, 6, 3)
        FOUR_ROUNDS(17, 29, 16, 24, 4)
        FOUR_ROUNDS(13, 15, 26, 6, 5)
        memcpy(first + i, &x, sizeof x);
        memcpy(second + i, &y, sizeof y);
    }
    for (; i < n; i++) {
        uint32_t out[2];
        threefry_hash(key, c0 + (uint32_t)i, c1 + (uint32_t)i, out);
        first[i] = out[0];
        second[i] = out[1];
    }
}

void FILL(random)(random_kernels *t) { t->threefry = threefry; }
