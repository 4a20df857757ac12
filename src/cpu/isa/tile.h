/* The shape of the register tile of matrix products (see gemm.c), which attention's panels share. */
#ifndef MICA_CPU_ISA_TILE_H
#define MICA_CPU_ISA_TILE_H

#include "cpu/simd.h"

#if SIMD_LANES == 16
#define TILE_ROWS 12
#elif SIMD_LANES == 8
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif
#define TILE_VECTORS 2
#define TILE_COLUMNS (TILE_VECTORS * SIMD_LANES)

/* Before a loop with a constant bound over registers. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
