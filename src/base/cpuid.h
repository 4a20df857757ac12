/* Which vector instructions this processor has and the system lets us use. */
#ifndef MICA_BASE_CPUID_H
#define MICA_BASE_CPUID_H

#include <stdbool.h>

/* AVX2, FMA, F16C and BMI2, with the wide registers saved by the system. Always false off x86-64. */
bool cpuid_avx2(void);
/* Those, and AVX-512 F, BW, DQ, VL and VNNI. */
bool cpuid_avx512(void);

#endif
