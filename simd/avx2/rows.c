/* The row kernels of this tier: the bodies in simd/tmpl over its vectors. */
#include "config.h"

#include <math.h>

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

/* Bodies are not headers: they need the vectors and each other in this order. */
#include "simd/tmpl/convert.h"
#include "simd/tmpl/elementwise.h"
#include "simd/tmpl/exp.h"
#include "simd/tmpl/int8.h"
#include "simd/tmpl/norm.h"

#include "simd/tmpl/activation.h"
#include "simd/tmpl/softmax.h"
