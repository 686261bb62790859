/* SPDX-License-Identifier: Apache-2.0 */
/* A string that grows as it is written. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

void kdl__text_init(kdl__text *text, kdl_context *ctx)
{
    *text = (kdl__text){ .ctx = ctx };
}

/* Makes room for `nbytes` more and the final NUL. */
static bool reserve(kdl__text *text, size_t nbytes)
{
    void *data = text->data;
    if (text->failed)
        return false;
    if (nbytes >= SIZE_MAX - text->length ||
        !kdl__grow(text->ctx, &data, &text->capacity, text->length + nbytes + 1, 1)) {
        kdl__fail_memory(text->ctx);
        text->failed = true;
        return false;
    }
    text->data = data;
    return true;
}

void kdl__text_add(kdl__text *text, const char *piece, size_t nbytes)
{
    if (!reserve(text, nbytes))
        return;
    memcpy(text->data + text->length, piece, nbytes);
    text->length += nbytes;
    text->data[text->length] = '\0';
}

void kdl__text_puts(kdl__text *text, const char *piece)
{
    kdl__text_add(text, piece, strlen(piece));
}

void kdl__text_repeat(kdl__text *text, char character, size_t count)
{
    if (!reserve(text, count))
        return;
    memset(text->data + text->length, character, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void kdl__text_vprintf(kdl__text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
        text->length += (size_t)length;
    }
}

void kdl__text_printf(kdl__text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    kdl__text_vprintf(text, format, arguments);
    va_end(arguments);
}

void kdl__text_double(kdl__text *text, char conversion, int precision, double value)
{
    const char format[] = { '%', '.', '*', conversion, '\0' };
    if (isnan(value)) {
        kdl__text_puts(text, "nan");
        return;
    }
    size_t start = text->length;
    kdl__text_printf(text, format, precision, value);
    if (text->failed)
        return;
    /* Only a locale's decimal point, of one byte or more, is neither alphanumeric nor a sign. */
    char *to = text->data + start;
    for (const char *from = to; *from; from++) {
        bool plain = (*from >= '0' && *from <= '9') || (*from >= 'a' && *from <= 'z') ||
                     *from == '-' || *from == '+';
        if (plain)
            *to++ = *from;
        else if (to[-1] != '.')
            *to++ = '.';
    }
    *to = '\0';
    text->length = (size_t)(to - text->data);
}

void kdl__text_repr(kdl__text *text, double value)
{
    char digits[40];
    int precision = 0;
    if (!isfinite(value)) {
        kdl__text_double(text, 'f', 0, value);
        return;
    }
    do
        snprintf(digits, sizeof digits, "%.*e", precision, value);
    while (strtod(digits, NULL) != value && ++precision < 17);
    int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16)
        kdl__text_double(text, 'e', precision, value);
    else
        kdl__text_double(text, 'f', precision > exponent ? precision - exponent : 1, value);
}

bool kdl__parse_double(const char *text, size_t nbytes, double *value)
{
    char digits[128], *end, *to = digits;
    const char *point = localeconv()->decimal_point;
    size_t point_nbytes = strlen(point);
    for (size_t i = 0; i < nbytes; i++) {
        if ((size_t)(to - digits) + point_nbytes >= sizeof digits)
            return false;
        memcpy(to, text[i] == '.' ? point : &text[i], text[i] == '.' ? point_nbytes : 1);
        to += text[i] == '.' ? point_nbytes : 1;
    }
    *to = '\0';
    *value = strtod(digits, &end);
    return end == to && nbytes > 0;
}

char *kdl__text_take(kdl__text *text)
{
    char *data = NULL;
    if (reserve(text, 0)) {
        data = text->data;
        data[text->length] = '\0';
        text->data = NULL;
    }
    kdl__text_free(text);
    return data;
}

void kdl__text_free(kdl__text *text)
{
    kdl_free(text->ctx, text->data);
    kdl__text_init(text, text->ctx);
}
