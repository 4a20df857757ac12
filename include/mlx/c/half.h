/** @file
 * Half floats as C types, where the compiler has them: HAS_FLOAT16 and HAS_BFLOAT16 say so. */
#ifndef MLX_C_HALF_H
#define MLX_C_HALF_H

#if defined(__ARM_FEATURE_FP16_SCALAR_ARITHMETIC) || defined(__aarch64__)
#define HAS_FLOAT16 /**< float16_t exists */
#include <arm_fp16.h>
#endif

/* clang before 17 has __bf16 only where the processor has it too; gcc has it for all of arm64 */
#if defined(__ARM_FEATURE_BF16) || (defined(__aarch64__) && (!defined(__clang__) || __clang_major__ >= 17))
#define HAS_BFLOAT16 /**< bfloat16_t exists */
#include <arm_bf16.h>
#endif

#endif
