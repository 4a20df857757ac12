/* Which vector instructions this processor has and the system lets us use. */
#ifndef MICA_BASE_CPUID_H
#define MICA_BASE_CPUID_H

#include <stdbool.h>
#include <stddef.h>

/* AVX2, FMA, F16C and BMI2, with the wide registers saved by the system. Always false off x86-64. */
bool cpuid_avx2(void);
/* Those, and AVX-512 F, BW, DQ, VL and VNNI. */
bool cpuid_avx512(void);
/* Those, and AVX-512 BF16. */
bool cpuid_avx512_bf16(void);
/* Those, and AMX tiles with byte and bfloat16 products. Asks the system for the tile registers, which it
 * grants to the whole process (from then on a signal stack of its own must be larger); false when it refuses.
 * Linux only.
 */
bool cpuid_amx(void);

/* The processor's name as its maker gave it, "unknown" if it has none: at most size - 1 characters. */
void cpuid_name(char *name, size_t size);

#endif
