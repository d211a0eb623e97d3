/* SPDX-License-Identifier: MIT */
/* A file that appears whole or not at all, or standard output. */
#ifndef RFIELD_TOOLS_OUTPUT_FILE_H
#define RFIELD_TOOLS_OUTPUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

typedef struct output_file {
    const char *path; /* as given; NULL for standard output */
    char *target;     /* what the temporary file will replace; NULL where written directly */
    char *temporary;
    FILE *file;
} output_file;

/* `path` NULL or "-" means standard output; a device or pipe is written directly. An exit code. */
int output_open(output_file *output, const char *path);

/* An rf_write whose context is an output_file. */
bool output_write(void *context, const char *text, size_t bytes);

/* Completes the file; BAD_INPUT, with a complaint and no file, where any of it was lost. */
int output_finish(output_file *output);

/* Gives up: nothing is left behind. */
void output_discard(output_file *output);

#endif
