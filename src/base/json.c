/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, numbers and bytes as JSON writes them. */
#include <math.h>
#include <string.h>

#include "base/json.h"

/* The bytes of the character that begins at `text`, 0 when there is none in UTF-8. */
static size_t utf8_length(const unsigned char *text, size_t available)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = text[0] < 0x80           ? 1
                    : (text[0] >> 5) == 0x06 ? 2
                    : (text[0] >> 4) == 0x0e ? 3
                    : (text[0] >> 3) == 0x1e ? 4
                                             : 0;
    if (length < 2 || length > available)
        return length > available ? 0 : length;
    uint32_t code = text[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fU);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[length] || code > 0x10ffff || is_surrogate ? 0 : length;
}

bool kdl__is_utf8(const char *text, size_t nbytes)
{
    for (size_t i = 0, length; i < nbytes; i += length) {
        length = utf8_length((const unsigned char *)text + i, nbytes - i);
        if (!length)
            return false;
    }
    return true;
}

void kdl__json_add_string(kdl__text *json, const char *text)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    kdl__text_puts(json, "\"");
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        kdl__text_add(json, text, plain);
        text += plain;
        const char *found = *text ? strchr(escaped, *text) : NULL;
        if (found)
            kdl__text_printf(json, "\\%c", letters[found - escaped]);
        else if (*text)
            kdl__text_printf(json, "\\u%04x", (unsigned char)*text);
        text += *text != '\0';
    }
    kdl__text_puts(json, "\"");
}

void kdl__json_add_number(kdl__text *json, double value)
{
    if (isfinite(value))
        kdl__text_repr(json, value);
    else
        kdl__text_printf(json, "\"%s%s\"", signbit(value) ? "-" : "", isnan(value) ? "nan" : "inf");
}

/* ---- base64 -------------------------------------------------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void kdl__json_add_base64(kdl__text *json, const void *bytes, size_t nbytes)
{
    const uint8_t *in = bytes;
    kdl__text_puts(json, "\"");
    for (size_t i = 0; i < nbytes; i += 3) {
        size_t n = nbytes - i < 3 ? nbytes - i : 3;
        uint32_t group = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (n > 2 ? in[i + 2] : 0);
        char digits[4];
        for (size_t d = 0; d < 4; d++)
            digits[d] = d <= n ? alphabet[group >> (18 - 6 * d) & 63] : '=';
        kdl__text_add(json, digits, sizeof digits);
    }
    kdl__text_puts(json, "\"");
}

bool kdl__base64_nbytes(const char *text, size_t length, size_t *nbytes)
{
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    *nbytes = length / 4 * 3 - (length ? padding : 0);
    return length % 4 == 0;
}

bool kdl__base64_decode(const char *text, size_t length, void *bytes)
{
    size_t nbytes, done = 0;
    uint8_t *out = bytes;
    if (!kdl__base64_nbytes(text, length, &nbytes))
        return false;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t group = 0;
        for (size_t d = 0; d < 4; d++) {
            bool is_padding = text[i + d] == '=' && i / 4 * 3 + d > nbytes;
            const char *found = memchr(alphabet, text[i + d], sizeof alphabet - 1);
            if (!found && !is_padding)
                return false;
            group = group << 6 | (found ? (uint32_t)(found - alphabet) : 0);
        }
        for (size_t b = 0; b < 3 && done < nbytes; b++)
            out[done++] = (uint8_t)(group >> (16 - 8 * b));
    }
    return true;
}
