/* The kernel table: one function pointer a slot, filled once at start.
 *
 * Portable C fills every slot; then each instruction set that the processor has, in rising order, overwrites
 * the slots that it does better (MICA_CPU_ISA=portable|avx2|avx512|avx512bf16|amx stops the climb early).
 * Every file of cpu/isa is compiled once per instruction set with ISA set to its name; its fill function is
 * the only symbol that leaves it. Levels avx512bf16 and amx bring only cpu/x86/bf16.c and cpu/x86/qmm_amx.c.
 * To add a family: a struct of its slots in cpu/<family>.h, a FAMILY row below, and cpu/isa/<family>.c that
 * defines FILL(<family>). tests/kernels compares every variant with the portable one. */
#ifndef MICA_CPU_KERNELS_H
#define MICA_CPU_KERNELS_H

#include "cpu/attention.h"
#include "cpu/chain.h"
#include "cpu/elementwise.h"
#include "cpu/fft.h"
#include "cpu/gemm.h"
#include "cpu/norm.h"
#include "cpu/paged.h"
#include "cpu/qmm.h"
#include "cpu/random.h"
#include "cpu/recurrent.h"
#include "cpu/reduce.h"
#include "cpu/sort.h"

/* FAMILY(name): field `name` of the table, of type name_kernels. */
#define CPU_FAMILIES    \
    FAMILY(elementwise) \
    FAMILY(chain)       \
    FAMILY(reduce)      \
    FAMILY(gemm)        \
    FAMILY(qmm)         \
    FAMILY(norm)        \
    FAMILY(attention)   \
    FAMILY(paged)       \
    FAMILY(recurrent)   \
    FAMILY(fft)         \
    FAMILY(random)      \
    FAMILY(sort)

typedef enum cpu_isa {
    ISA_LEVEL_portable,
    ISA_LEVEL_avx2,
    ISA_LEVEL_avx512,
    ISA_LEVEL_avx512bf16,
    ISA_LEVEL_amx,
    ISA_LEVELS
} cpu_isa;

typedef struct cpu_kernels {
    cpu_isa isa;
#define FAMILY(name) name##_kernels name;
    CPU_FAMILIES
#undef FAMILY
} cpu_kernels;

/* The process's table. The first call chooses it; later calls return the same. */
const cpu_kernels *cpu_kernels_get(void);
/* Fills t for a level, if this processor has it and it was built; returns false otherwise. For tests. */
int cpu_kernels_fill(cpu_kernels *t, cpu_isa isa);
const char *cpu_isa_name(cpu_isa isa);
/* What is wrong with MICA_CPU_ISA (an unknown name, or more than this processor has), one line; NULL if
 * nothing. The table is usable all the same; a program should show the text and stop. */
const char *cpu_isa_problem(void);

#define CPU_CAT2(a, b) a##_##b
#define CPU_CAT(a, b)  CPU_CAT2(a, b)
/* In cpu/isa/<family>.c: void FILL(qmm)(qmm_kernels *t) { t->gemv = gemv; ... } */
#define FILL(family)   CPU_CAT(cpu_fill_##family, ISA)

#define CPU_FILL_PROTOTYPES(isa)                             \
    void cpu_fill_elementwise_##isa(elementwise_kernels *t); \
    void cpu_fill_chain_##isa(chain_kernels *t);             \
    void cpu_fill_reduce_##isa(reduce_kernels *t);           \
    void cpu_fill_gemm_##isa(gemm_kernels *t);               \
    void cpu_fill_qmm_##isa(qmm_kernels *t);                 \
    void cpu_fill_norm_##isa(norm_kernels *t);               \
    void cpu_fill_attention_##isa(attention_kernels *t);     \
    void cpu_fill_paged_##isa(paged_kernels *t);             \
    void cpu_fill_recurrent_##isa(recurrent_kernels *t);     \
    void cpu_fill_fft_##isa(fft_kernels *t);                 \
    void cpu_fill_random_##isa(random_kernels *t);           \
    void cpu_fill_sort_##isa(sort_kernels *t);
CPU_FILL_PROTOTYPES(portable)
CPU_FILL_PROTOTYPES(avx2)
CPU_FILL_PROTOTYPES(avx512)
void cpu_fill_gemm_avx512bf16(gemm_kernels *t);
void cpu_fill_gemm_amx(gemm_kernels *t);
void cpu_fill_qmm_avx512bf16(qmm_kernels *t);
void cpu_fill_qmm_amx(qmm_kernels *t);

#endif
