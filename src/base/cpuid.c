/* Instruction sets, asked of the processor itself.
 *
 * A feature counts when the processor reports it (CPUID) and the operating system saves the registers it
 * uses across task switches (XGETBV): AVX needs the XMM and YMM state, AVX-512 the mask registers and both
 * halves of ZMM too, AMX the tile configuration and data. A processor that is not x86-64 has none of them. */
#include "base/cpuid.h"

#include <stdio.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>
#include <string.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef struct cpuid_regs {
    unsigned a, b, c, d;
} cpuid_regs;

static cpuid_regs query_part(unsigned leaf, unsigned part)
{
    cpuid_regs r = {0};
    if (!__get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d))
        r = (cpuid_regs){0};
    return r;
}

static cpuid_regs query(unsigned leaf) { return query_part(leaf, 0); }

/* The register states that the system saves; 0 when it does not use XSAVE at all. */
static uint64_t saved_states(void)
{
    unsigned low, high;
    if (!(query(1).c & 1u << 27)) /* OSXSAVE */
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool all(uint64_t value, uint64_t bits) { return (value & bits) == bits; }

bool cpuid_avx2(void)
{
    unsigned avx_fma_f16c = 1u << 28 | 1u << 12 | 1u << 29, avx2_bmi2 = 1u << 5 | 1u << 8;
    return all(saved_states(), 0x6) && all(query(1).c, avx_fma_f16c) && all(query(7).b, avx2_bmi2);
}

bool cpuid_avx512(void)
{
    unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, vnni = 1u << 11;
    return cpuid_avx2() && all(saved_states(), 0xE6) && all(query(7).b, f_dq_bw_vl) && all(query(7).c, vnni);
}

bool cpuid_avx512_bf16(void)
{
    unsigned bf16 = 1u << 5;
    return cpuid_avx512() && all(query_part(7, 1).a, bf16);
}

/* Linux keeps the tile data (8 KB) from a process that has not asked for it. */
static bool tiles_granted(void)
{
#if defined(__linux__)
    const long request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

bool cpuid_amx(void)
{
    unsigned tile_int8_bf16 = 1u << 24 | 1u << 25 | 1u << 22;
    return cpuid_avx512_bf16() && all(saved_states(), 0x60000) && all(query(7).d, tile_int8_bf16) &&
           tiles_granted();
}

void cpuid_name(char *name, size_t size)
{
    char text[49] = "";
    for (unsigned i = 0; i < 3; i++) {
        cpuid_regs r = query(0x80000002 + i);
        memcpy(text + i * sizeof r, &r, sizeof r);
    }
    const char *begin = text + strspn(text, " ");
    snprintf(name, size, "%s", *begin ? begin : "unknown");
}

#else

void cpuid_name(char *name, size_t size) { snprintf(name, size, "unknown"); }
bool cpuid_avx2(void) { return false; }
bool cpuid_avx512(void) { return false; }
bool cpuid_avx512_bf16(void) { return false; }
bool cpuid_amx(void) { return false; }

#endif
