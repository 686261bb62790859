/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and shapes as tables show them. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

char *cli_count(int64_t value, char text[CLI_COUNT_NBYTES])
{
    char digits[CLI_COUNT_NBYTES];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    char *to = text;
    for (int i = 0; i < length; i++) {
        *to++ = digits[i];
        bool is_digit = digits[i] != '-';
        if (is_digit && i + 1 < length && (length - i - 1) % 3 == 0)
            *to++ = ',';
    }
    *to = '\0';
    return text;
}

char *cli_nbytes(uint64_t nbytes, char text[CLI_COUNT_NBYTES])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)nbytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(text, CLI_COUNT_NBYTES, "%.*f %s", unit ? 1 : 0, value, units[unit]);
    return text;
}

char *cli_rate(uint64_t nbytes, double seconds, char text[CLI_COUNT_NBYTES])
{
    double rate = seconds > 0 ? (double)nbytes / seconds : 0;
    if (rate >= 1e9)
        snprintf(text, CLI_COUNT_NBYTES, "%.1f GB/s", rate * 1e-9);
    else
        snprintf(text, CLI_COUNT_NBYTES, "%.0f MB/s", rate * 1e-6);
    return text;
}

char *cli_shape(const kdl_shape *shape, char text[CLI_SHAPE_NBYTES])
{
    char *to = text;
    *to++ = '[';
    for (int d = 0; d < shape->ndim; d++)
        to += sprintf(to, "%s%" PRId64, d ? ", " : "", shape->sizes[d]);
    sprintf(to, "]");
    return text;
}

void cli_print_assumed(const kdl_plan *plan)
{
    const char *assumed = kdl_plan_attribute(plan, "assumed");
    if (!assumed)
        return;
    printf("\nAssumed, as the text does not tell:\n");
    while (*assumed) {
        int length = (int)strcspn(assumed, "\n");
        printf("  %.*s\n", length, assumed);
        assumed += length + (assumed[length] != '\0');
    }
    printf("  no parameters or buffers but those of the layers, and none of them tied\n"
           "  construction in the order of the text, and nothing done to the model afterwards\n"
           "--expect compares names, shapes and types; --rule initialises otherwise.\n");
}

const char *cli_dtype(kdl_dtype dtype)
{
    static const char *const names[KDL_DTYPE_COUNT] = {
        [KDL_F32] = "f32", [KDL_F64] = "f64", [KDL_F16] = "f16", [KDL_BF16] = "bf16",
        [KDL_I64] = "i64", [KDL_I32] = "i32", [KDL_U8] = "u8",   [KDL_BOOL] = "bool",
    };
    return names[dtype];
}
