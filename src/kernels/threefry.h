/* Threefry-2x32 with 20 rounds: the counter-based generator behind MLX's random numbers.
 *
 * A key of two words and a counter of two words give two random words, so any part of the output can be made
 * alone. Words lie in memory in the machine's order, which must be little-endian for MLX's bytes. */
#ifndef MICA_KERNELS_THREEFRY_H
#define MICA_KERNELS_THREEFRY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The third word of the key schedule makes their xor this. */
#define THREEFRY_PARITY 0x1BD11BDAu

static inline uint32_t threefry_rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

/* out = the hash of the counter (c0, c1) under the key. */
static inline void threefry_hash(const uint32_t key[2], uint32_t c0, uint32_t c1, uint32_t out[2])
{
    static const unsigned char rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    const uint32_t schedule[3] = {key[0], key[1], key[0] ^ key[1] ^ THREEFRY_PARITY};
    uint32_t x = c0 + schedule[0], y = c1 + schedule[1];
    for (unsigned block = 0; block < 5; block++) {
        for (int i = 0; i < 4; i++) {
            x += y;
            y = threefry_rotate(y, rotations[block % 2][i]) ^ x;
        }
        x += schedule[(block + 1) % 3];
        y += schedule[(block + 2) % 3] + block + 1;
    }
    out[0] = x;
    out[1] = y;
}

/* The key of a seed. */
static inline void threefry_key(uint64_t seed, uint32_t key[2])
{
    key[0] = (uint32_t)(seed >> 32);
    key[1] = (uint32_t)seed;
}

/* Number of counters that threefry_bits hashes for `bytes` bytes of output. */
static inline size_t threefry_pairs(size_t bytes)
{
    size_t words = bytes / 4 + (bytes % 4 != 0);
    return words / 2 + words % 2;
}

/* Puts word i of the output in place; the last may stick out. */
static inline void threefry_store(void *out, size_t bytes, size_t i, uint32_t word)
{
    size_t room = bytes - 4 * i;
    memcpy((char *)out + 4 * i, &word, room < 4 ? room : 4);
}

/* The first pairs, whose two words fit whole: those behind them are cut short, or have no second word. */
static inline size_t threefry_whole_pairs(size_t bytes)
{
    size_t pairs = threefry_pairs(bytes), whole = bytes / 4;
    return whole > pairs ? whole - pairs : 0;
}

/* The part of threefry_bits that counters begin .. end-1 make, for threads that share the work. */
static inline void threefry_bits_range(const uint32_t key[2], void *out, size_t bytes, size_t begin,
                                       size_t end)
{
    size_t words = bytes / 4 + (bytes % 4 != 0), pairs = threefry_pairs(bytes);
    for (size_t i = begin; i < end; i++) {
        uint32_t h[2], has_second = pairs + i < words;
        threefry_hash(key, (uint32_t)i, has_second ? (uint32_t)(pairs + i) : 0, h);
        threefry_store(out, bytes, i, h[0]);
        if (has_second)
            threefry_store(out, bytes, pairs + i, h[1]);
    }
}

/* Fills `bytes` bytes as MLX's random.bits does for one key: word i of the first half of the words and word i
 * of the second come from one counter (i, i + pairs); an odd word in the middle from (i, 0). */
static inline void threefry_bits(const uint32_t key[2], void *out, size_t bytes)
{
    threefry_bits_range(key, out, bytes, 0, threefry_pairs(bytes));
}

/* n keys from one: key i is (out[2i], out[2i + 1]). */
static inline void threefry_split(const uint32_t key[2], size_t n, uint32_t *out)
{
    threefry_bits(key, out, n * 8);
}

#endif
