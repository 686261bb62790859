/* SPDX-License-Identifier: Apache-2.0 */
/* Reading golden files. Anything wrong with one is a broken checkout, so it aborts the test. */
#include "support/golden.h"

#include <stdlib.h>
#include <string.h>

uint64_t golden_digest(const void *data, size_t nbytes)
{
    const unsigned char *bytes = data;
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < nbytes; i++)
        value = (value ^ bytes[i]) * UINT64_C(0x100000001b3);
    return value;
}

static _Noreturn void broken(const char *what, const char *where)
{
    fprintf(stderr, "golden file: %s: %s\n", what, where);
    abort();
}

FILE *golden_open(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", KDL_TEST_GOLDEN_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file)
        broken("cannot open", path);
    return file;
}

_Bool golden_line(FILE *file, char *line, size_t nbytes)
{
    while (fgets(line, (int)nbytes, file)) {
        size_t length = strlen(line);
        if (length == 0 || line[length - 1] != '\n')
            broken("a line is too long", line);
        line[length - 1] = '\0';
        if (length > 1 && line[0] != '#')
            return 1;
    }
    return 0;
}

static unsigned nibble(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = strchr(digits, digit);
    if (!found || !digit)
        broken("no hexadecimal digit", "");
    return (unsigned)(found - digits);
}

size_t golden_hex(const char *digits, void *bytes, size_t nbytes)
{
    unsigned char *out = bytes;
    size_t count = strlen(digits) / 2;
    if (count > nbytes)
        broken("too many digits", digits);
    for (size_t i = 0; i < count; i++)
        out[i] = (unsigned char)(nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]));
    return count;
}
