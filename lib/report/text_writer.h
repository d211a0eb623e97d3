/* SPDX-License-Identifier: MIT */
/*
 * Text on its way to a caller's function, and names from files made fit to be shown.
 *
 * Nothing here depends on the locale. The command compiles these files too.
 */
#ifndef RF_ANALYSIS_TEXT_WRITER_H
#define RF_ANALYSIS_TEXT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <rfield/report.h>

/* A failure sticks: what follows it is dropped, and rf_text_finish tells. */
typedef struct rf_text {
    rf_write write;
    void *context;
    bool failed;
    size_t used;
    char buffer[4096];
} rf_text;

void rf_text_init(rf_text *text, rf_write write, void *context);
void rf_text_put(rf_text *text, const char *bytes, size_t count);
void rf_text_str(rf_text *text, const char *string);
void rf_text_repeat(rf_text *text, char c, size_t times);

__attribute__((format(printf, 2, 3)))
void rf_text_format(rf_text *text, const char *format, ...); /* up to 511 bytes */

/* Hands over what is left; false if any of it was refused. */
bool rf_text_finish(rf_text *text);

/* Decodes one character; an ill-formed byte gives U+FFFD and one step. `text` is not at its end. */
size_t rf_utf8_decode(const char *text, uint32_t *character);

/* One character of a name as it may be shown: itself, U+FFFD for an ill-formed byte, or an escape
 * such as \n, \x1b or \u202e for one that moves the cursor or turns the text around. */
typedef struct rf_visible {
    const char *next;    /* the rest of the name */
    char text[12];
    size_t bytes, columns;
} rf_visible;

/* Steps on; false at the end. Start with .next at the name. */
bool rf_visible_next(rf_visible *visible);

size_t rf_visible_columns(const char *name);

/* Writes an ASCII character as a format needs it; `before` is the byte before it, or 0. */
typedef void (*rf_escape)(rf_text *text, char c, char before);

/* A name in full, each ASCII character through `escape`, which may be NULL. */
void rf_text_name(rf_text *text, const char *name, rf_escape escape);

/* A name in exactly `width` columns, shortened in the middle or padded. */
void rf_text_cell(rf_text *text, const char *name, size_t width, bool right);

#endif
