/* SPDX-License-Identifier: Apache-2.0 */
/* Jump-ahead with PCLMULQDQ. */
#include <immintrin.h>
#include "kernels/avx2/avx2.h"

typedef __m128i kdl__pairs;
#define kdl__pairs_low(a, b) _mm_clmulepi64_si128(a, b, 0x00)
#define kdl__pairs_high(a, b) _mm_clmulepi64_si128(a, b, 0x11)
#define kdl__pairs_swap(a) _mm_shuffle_epi32(a, 0x4e)
#define kdl__pairs_join(a, b) _mm_alignr_epi8(b, a, 8)
#define JUMP_NAME(part) kdl__jump##part##_pclmul
#include "kernels/jump_clmul128.h"
