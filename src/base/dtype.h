/*
 * dtype.h - the types of elements that tensors and files have.
 */
#ifndef OMMA_BASE_DTYPE_H
#define OMMA_BASE_DTYPE_H

#include <stddef.h>

enum omma_dtype { OMMA_DTYPE_F32, OMMA_DTYPE_BF16, OMMA_DTYPE_F16, OMMA_DTYPE_I8 };

static inline size_t omma_dtype_bytes(enum omma_dtype dtype)
{
    return dtype == OMMA_DTYPE_F32 ? 4 : dtype == OMMA_DTYPE_I8 ? 1 : 2;
}

static inline const char *omma_dtype_name(enum omma_dtype dtype)
{
    switch (dtype) {
    case OMMA_DTYPE_F32:
        return "f32";
    case OMMA_DTYPE_BF16:
        return "bf16";
    case OMMA_DTYPE_F16:
        return "f16";
    case OMMA_DTYPE_I8:
        return "int8";
    }
    return "?";
}

#endif
