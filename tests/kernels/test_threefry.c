/* Threefry against values that MLX printed, and against its own parts. */
#include "kernels/kernel_test.h"

#include "kernels/threefry.h"

static const uint32_t zero[2];

static void keys(void **state)
{
    (void)state;
    uint32_t key[2];
    threefry_key(0, key);
    assert_true(key[0] == 0 && key[1] == 0);
    threefry_key((1ull << 40) + 5, key);
    assert_true(key[0] == 256 && key[1] == 5);
}

static void known_hashes(void **state) /* Random123's published vectors */
{
    (void)state;
    uint32_t out[2], ones[2] = {~0u, ~0u}, pi[2] = {0x13198a2e, 0x03707344};
    threefry_hash(zero, 0, 0, out);
    assert_true(out[0] == 0x6b200159 && out[1] == 0x99ba4efe);
    threefry_hash(ones, ~0u, ~0u, out);
    assert_true(out[0] == 0x1cb996fc && out[1] == 0xbb002be7);
    threefry_hash(pi, 0x243f6a88, 0x85a308d3, out);
    assert_true(out[0] == 0xc4923a9c && out[1] == 0x483df7a0);
}

static void words(void **state)
{
    (void)state;
    static const uint32_t golden[][5] = {{1797259609},
                                         {928981903, 3453687069},
                                         {4146024105, 1351547692, 2718843009},
                                         {0},
                                         {2467461003, 428148500, 1688610540, 3840466878, 2562233961}};
    for (size_t n = 1; n <= 5; n++) {
        uint32_t out[6] = {0, 0, 0, 0, 0, 0};
        out[n] = 77;
        threefry_bits(zero, out, 4 * n);
        if (n != 4)
            assert_memory_equal(out, golden[n - 1], 4 * n);
        assert_int_equal(out[n], 77);
    }
    static const uint32_t six[6] = {2467461003, 428148500, 3186719485, 3840466878, 2562233961, 1946702221};
    uint32_t out[6];
    threefry_bits(zero, out, sizeof out);
    assert_memory_equal(out, six, sizeof six);
}

static void narrow_widths(void **state)
{
    (void)state;
    static const uint16_t four[] = {9103, 14175, 5405, 52699}, five[] = {20137, 63263, 64300, 20622, 16513};
    static const uint8_t seven[] = {143, 35, 95, 55, 29, 21, 219};
    uint16_t out[6];
    threefry_bits(zero, out, 8);
    assert_memory_equal(out, four, 8);
    threefry_bits(zero, out, 10);
    assert_memory_equal(out, five, 10);
    uint8_t bytes[8] = {0};
    bytes[7] = 9;
    threefry_bits(zero, bytes, 7);
    assert_memory_equal(bytes, seven, 7);
    assert_int_equal(bytes[7], 9);
    threefry_bits(zero, bytes, 0);
    assert_memory_equal(bytes, seven, 7);
}

static void splits(void **state)
{
    (void)state;
    static const uint32_t two[] = {4146024105, 967050713, 2718843009, 1272950319};
    static const uint32_t three[] = {2467461003, 428148500, 3186719485, 3840466878, 2562233961, 1946702221};
    uint32_t out[6];
    threefry_split(zero, 2, out);
    assert_memory_equal(out, two, sizeof two);
    threefry_split(zero, 3, out);
    assert_memory_equal(out, three, sizeof three);
}

static void ranges_join(void **state)
{
    (void)state;
    uint32_t key[2] = {123, 456};
    unsigned char whole[1000], parts[1000];
    for (size_t bytes = 0; bytes < 300; bytes++) {
        size_t pairs = threefry_pairs(bytes);
        memset(whole, 1, sizeof whole);
        memset(parts, 1, sizeof parts);
        threefry_bits(key, whole, bytes);
        for (size_t begin = pairs; begin-- > 0;)
            threefry_bits_range(key, parts, bytes, begin, begin + 1);
        assert_memory_equal(whole, parts, sizeof whole);
        assert_int_equal(whole[bytes], 1);
    }
}

/* Every instruction set hashes as threefry_hash does, and writes n words each and no more. */
static void many_at_a_time(void **state)
{
    (void)state;
    const uint32_t key[2] = {0xdeadbeef, 77};
    cpu_kernels kernels;
    for (int isa = 0; isa < ISA_LEVELS; isa++)
        for (size_t n = 0; n < 70 && cpu_kernels_fill(&kernels, (cpu_isa)isa); n++) {
            guarded first = guarded_new(4 * n), second = guarded_new(4 * n);
            const uint32_t c0 = UINT32_MAX - 20, c1 = 1000;
            kernels.random.threefry(key, c0, c1, first.data, second.data, n);
            for (size_t i = 0; i < n; i++) {
                uint32_t out[2];
                threefry_hash(key, c0 + (uint32_t)i, c1 + (uint32_t)i, out);
                assert_int_equal(((uint32_t *)first.data)[i], out[0]);
                assert_int_equal(((uint32_t *)second.data)[i], out[1]);
            }
            guarded_free(first);
            guarded_free(second);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),           cmocka_unit_test(known_hashes), cmocka_unit_test(words),
        cmocka_unit_test(narrow_widths),  cmocka_unit_test(splits),       cmocka_unit_test(ranges_join),
        cmocka_unit_test(many_at_a_time),
    };
    return RUN_TESTS("threefry", tests, NULL);
}
