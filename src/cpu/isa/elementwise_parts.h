/* The parts that FILL(elementwise) is put together from, one file each, so that they compile side by side. */
#ifndef MICA_CPU_ISA_ELEMENTWISE_PARTS_H
#define MICA_CPU_ISA_ELEMENTWISE_PARTS_H

#include "cpu/kernels.h"

void FILL(elementwise_unary)(elementwise_kernels *t);
void FILL(elementwise_binary)(elementwise_kernels *t);
void FILL(elementwise_cast)(elementwise_kernels *t);

#endif
