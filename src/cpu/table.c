/* Choosing the kernels.
 *
 * The table is filled level by level, from portable C up to the best that this processor has, so that a
 * level needs to bring only the slots where it differs. MICA_CPU_ISA names a lower level to stop at. The
 * library prints nothing: a name that is unknown or too high is kept as a text for the program to show
 * (cpu_isa_problem), and the highest usable level below is taken. */
#include "cpu/kernels.h"

#include "base/cpuid.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_once_t once;
    cpu_kernels kernels;
    char problem[160];
} table = {.once = PTHREAD_ONCE_INIT};

static const char *const names[ISA_LEVELS] = {"portable", "avx2", "avx512", "avx512bf16", "amx"};

#define FAMILY(name) cpu_fill_##name##_portable(&t->name);
static void fill_portable(cpu_kernels *t) { CPU_FAMILIES }
#undef FAMILY

#if defined(__x86_64__)

#define FAMILY(name) cpu_fill_##name##_avx2(&t->name);
static void fill_avx2(cpu_kernels *t) { CPU_FAMILIES }
#undef FAMILY

#define FAMILY(name) cpu_fill_##name##_avx512(&t->name);
static void fill_avx512(cpu_kernels *t) { CPU_FAMILIES }
#undef FAMILY

static void fill_higher(cpu_kernels *t, cpu_isa isa)
{
    if (isa >= ISA_LEVEL_avx2)
        fill_avx2(t);
    if (isa >= ISA_LEVEL_avx512)
        fill_avx512(t);
    if (isa >= ISA_LEVEL_avx512bf16) {
        cpu_fill_gemm_avx512bf16(&t->gemm);
        cpu_fill_qmm_avx512bf16(&t->qmm);
    }
    if (isa >= ISA_LEVEL_amx) {
        cpu_fill_gemm_amx(&t->gemm);
        cpu_fill_qmm_amx(&t->qmm);
    }
}

#else

static void fill_higher(cpu_kernels *t, cpu_isa isa) { (void)t, (void)isa; }

#endif

/* The best level of this processor. */
static cpu_isa highest(void)
{
    return cpuid_amx()           ? ISA_LEVEL_amx
           : cpuid_avx512_bf16() ? ISA_LEVEL_avx512bf16
           : cpuid_avx512()      ? ISA_LEVEL_avx512
           : cpuid_avx2()        ? ISA_LEVEL_avx2
                                 : ISA_LEVEL_portable;
}

int cpu_kernels_fill(cpu_kernels *t, cpu_isa isa)
{
    if (isa > highest())
        return false;
    memset(t, 0, sizeof *t);
    t->isa = isa;
    fill_portable(t);
    fill_higher(t, isa);
    return true;
}

/* The level that MICA_CPU_ISA allows; notes what is wrong with it. */
static cpu_isa wanted(void)
{
    cpu_isa best = highest(), isa = ISA_LEVEL_portable;
    const char *name = getenv("MICA_CPU_ISA");
    if (!name || !*name)
        return best;
    while (isa < ISA_LEVELS && strcmp(name, names[isa]))
        isa++;
    if (isa == ISA_LEVELS)
        snprintf(table.problem, sizeof table.problem,
                 "MICA_CPU_ISA=%.40s: no such instruction set; use portable, avx2, avx512, avx512bf16 or amx",
                 name);
    else if (isa > best)
        snprintf(table.problem, sizeof table.problem,
                 "MICA_CPU_ISA=%s: this processor does not have it; the highest here is %s", name,
                 names[best]);
    return isa < best ? isa : best;
}

static void choose(void) { cpu_kernels_fill(&table.kernels, wanted()); }

const cpu_kernels *cpu_kernels_get(void)
{
    pthread_once(&table.once, choose);
    return &table.kernels;
}

const char *cpu_isa_problem(void)
{
    cpu_kernels_get();
    return table.problem[0] ? table.problem : NULL;
}

const char *cpu_isa_name(cpu_isa isa) { return isa < ISA_LEVELS ? names[isa] : "unknown"; }
