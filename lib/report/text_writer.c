/* SPDX-License-Identifier: MIT */
#include "report/text_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rf_text_init(rf_text *text, rf_write write, void *context)
{
    text->write = write;
    text->context = context;
    text->failed = false;
    text->used = 0;
}

static void hand_over(rf_text *text, const char *bytes, size_t count)
{
    if (!text->failed && count && !text->write(text->context, bytes, count))
        text->failed = true;
}

bool rf_text_finish(rf_text *text)
{
    hand_over(text, text->buffer, text->used);
    text->used = 0;
    return !text->failed;
}

void rf_text_put(rf_text *text, const char *bytes, size_t count)
{
    if (count > sizeof text->buffer - text->used)
        rf_text_finish(text);
    if (count > sizeof text->buffer) {
        hand_over(text, bytes, count);
        return;
    }
    if (count)
        memcpy(text->buffer + text->used, bytes, count);
    text->used += count;
}

void rf_text_str(rf_text *text, const char *string)
{
    rf_text_put(text, string, strlen(string));
}

void rf_text_repeat(rf_text *text, char c, size_t times)
{
    while (times--)
        rf_text_put(text, &c, 1);
}

void rf_text_format(rf_text *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (bytes < 0)
        text->failed = true;
    else
        rf_text_put(text, line, (size_t)bytes < sizeof line ? (size_t)bytes : sizeof line - 1);
}

/* Bytes that a first byte announces, or 0. */
static size_t announced(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t rf_utf8_decode(const char *text, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t count = announced(bytes[0]);
    *character = 0xfffd;
    if (count == 0)
        return 1;
    uint32_t c = count == 1 ? bytes[0] : bytes[0] & (0x7fu >> count);
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (bytes[i] & 0x3f);
    }
    if (c < smallest[count] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 1;
    *character = c;
    return count;
}

typedef struct span {
    uint32_t first, last;
} span;

static bool among(uint32_t c, const span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= spans[i].first && c <= spans[i].last)
            return true;
    return false;
}

/* Control characters, line separators, and marks that change the direction of text. */
static bool is_unsafe(uint32_t c)
{
    static const span unsafe[] = {
        {0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    return among(c, unsafe, sizeof unsafe / sizeof *unsafe);
}

/* Columns on a terminal, for the scripts that names are likely to be in. */
static size_t columns_of(uint32_t c)
{
    static const span none[] = {{0x300, 0x36f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
    static const span two[] = {
        {0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f},
        {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
    };
    if (c < 0x300)
        return 1;
    if (among(c, none, sizeof none / sizeof *none))
        return 0;
    return among(c, two, sizeof two / sizeof *two) ? 2 : 1;
}

static void escape_unsafe(rf_visible *visible, uint32_t c)
{
    static const char letters[] = "abtnvfr"; /* of characters 7 to 13 */
    int bytes;
    if (c >= 7 && c <= 13)
        bytes = snprintf(visible->text, sizeof visible->text, "\\%c", letters[c - 7]);
    else
        bytes = snprintf(visible->text, sizeof visible->text, c < 0x80 ? "\\x%02x" : "\\u%04x",
                         (unsigned)c);
    visible->bytes = visible->columns = (size_t)bytes;
}

bool rf_visible_next(rf_visible *visible)
{
    if (!*visible->next)
        return false;
    uint32_t c;
    size_t step = rf_utf8_decode(visible->next, &c);
    if (is_unsafe(c)) {
        escape_unsafe(visible, c);
    } else {
        bool replaced = c == 0xfffd;
        visible->bytes = replaced ? 3 : step;
        visible->columns = columns_of(c);
        memcpy(visible->text, replaced ? "\xef\xbf\xbd" : visible->next, visible->bytes);
    }
    visible->next += step;
    return true;
}

size_t rf_visible_columns(const char *name)
{
    rf_visible visible = {.next = name};
    size_t columns = 0;
    while (rf_visible_next(&visible))
        columns += visible.columns;
    return columns;
}

void rf_text_name(rf_text *text, const char *name, rf_escape escape)
{
    rf_visible visible = {.next = name};
    char before = 0;
    while (rf_visible_next(&visible)) {
        bool plain = !escape || (unsigned char)visible.text[0] >= 0x80;
        if (plain)
            rf_text_put(text, visible.text, visible.bytes);
        for (size_t i = 0; !plain && i < visible.bytes; i++) {
            escape(text, visible.text[i], before);
            before = visible.text[i];
        }
        before = visible.text[visible.bytes - 1];
    }
}

/* The pieces of `name` that lie within columns first .. last-1; returns their width. */
static size_t put_part(rf_text *text, const char *name, size_t first, size_t last)
{
    rf_visible visible = {.next = name};
    size_t column = 0, written = 0;
    while (column < last && rf_visible_next(&visible)) {
        if (column >= first && column + visible.columns <= last) {
            rf_text_put(text, visible.text, visible.bytes);
            written += visible.columns;
        }
        column += visible.columns;
    }
    return written;
}

static size_t put_shortened(rf_text *text, const char *name, size_t columns, size_t width)
{
    if (width == 0)
        return 0;
    size_t head = (width - 1) / 2;
    size_t tail = width - 1 - head;
    size_t written = put_part(text, name, 0, head);
    rf_text_str(text, "\xe2\x80\xa6");
    return written + 1 + put_part(text, name, columns - tail, columns);
}

void rf_text_cell(rf_text *text, const char *name, size_t width, bool right)
{
    size_t columns = rf_visible_columns(name);
    if (columns > width) {
        size_t written = put_shortened(text, name, columns, width);
        rf_text_repeat(text, ' ', width - written);
        return;
    }
    if (right)
        rf_text_repeat(text, ' ', width - columns);
    rf_text_name(text, name, NULL);
    if (!right)
        rf_text_repeat(text, ' ', width - columns);
}
