/** @file
 * Half floats as C types, where the compiler has them: HAS_FLOAT16 and HAS_BFLOAT16 say so. */
#ifndef MLX_C_HALF_H
#define MLX_C_HALF_H

#if defined(__ARM_FEATURE_FP16_SCALAR_ARITHMETIC) || defined(__aarch64__)
#define HAS_FLOAT16 /**< float16_t exists */
#include <arm_fp16.h>
#endif

#if defined(__ARM_FEATURE_BF16) || defined(__aarch64__)
#define HAS_BFLOAT16 /**< bfloat16_t exists */
#include <arm_bf16.h>
#endif

#endif
