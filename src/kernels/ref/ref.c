/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the plain C kernels, with the two that are only data movement. */
#include "kernels/ref/ref.h"

#include <string.h>
#include "kernels/elements.h"
#include "kernels/mt19937.h"

void kdl__draws_ref(kdl__mt *mt, uint32_t *out, size_t n)
{
    while (n > 0) {
        if (mt->next == KDL__MT_WORDS)
            kdl__mt_regenerate(mt);
        size_t left = KDL__MT_WORDS - mt->next;
        size_t count = n < left ? n : left;
        for (size_t i = 0; i < count; i++)
            out[i] = kdl__mt_temper(mt->words[mt->next + i]);
        mt->next += (uint32_t)count;
        out += count;
        n -= count;
    }
}

void kdl__fill_ref(void *out, size_t nbytes, uint64_t bits, size_t n)
{
    unsigned char *bytes = out;
    uint16_t bits16 = (uint16_t)bits;
    uint32_t bits32 = (uint32_t)bits;
    switch (nbytes) {
    case 1:
        memset(out, (unsigned char)bits, n);
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            memcpy(bytes + 2 * i, &bits16, 2);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            memcpy(bytes + 4 * i, &bits32, 4);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            memcpy(bytes + 8 * i, &bits, 8);
        break;
    }
}

/* Without a branch: chance decides it. */
size_t kdl__list_outside_f32_ref(const float *values, float lowest, float highest, size_t n,
                                 uint32_t first, uint32_t *numbers)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        numbers[count] = first + (uint32_t)i;
        count += (values[i] < lowest) | (values[i] > highest);
    }
    return count;
}

const kdl__kernels kdl__kernels_ref = {
    .name = "ref",
    .regenerate = kdl__mt_regenerate,
    .draws = kdl__draws_ref,
    .uniform_f32 = kdl__uniform_f32_ref,
    .uniform_f16 = kdl__uniform_f16_ref,
    .uniform_bf16 = kdl__uniform_bf16_ref,
    .uniform_f64 = kdl__uniform_f64_ref,
    .normal_f32 = kdl__normal_f32_ref,
    .normal_f16 = kdl__normal_f16_ref,
    .normal_bf16 = kdl__normal_bf16_ref,
    .normal_f64 = kdl__normal_f64_ref,
    .convert = kdl__convert_ref,
    .list_outside_f32 = kdl__list_outside_f32_ref,
    .fill = kdl__fill_ref,
    .jump = kdl__jump_ref,
    .jump_power = kdl__jump_power_ref,
    .jump_apply = kdl__jump_apply_ref,
    .jump_pays_from = 500000,
    .tile_f64 = kdl__tile_f64_ref,
    KDL__ELEMENT_KERNELS,
};
