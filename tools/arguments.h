/* SPDX-License-Identifier: MIT */
/* Reading a subcommand's words. */
#ifndef RFIELD_TOOLS_ARGUMENTS_H
#define RFIELD_TOOLS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <rfield/network.h>
#include <rfield/run.h>

#include "command.h"

/* The --input options so far; `name` is NULL where only a shape was given. */
typedef struct input_options {
    rf_binding *bindings;
    size_t count;
} input_options;

/* Adds "NAME=SHAPE" or "SHAPE"; the name stays in `word`, cut at the '='. An exit code. */
int add_input(const subcommand *command, input_options *inputs, char *word);

void free_inputs(input_options *inputs);

/* "1x3x224x224" */
bool parse_shape(const char *word, rf_shape *shape);

/* "3,4": up to `limit` indices. False where it is anything else. */
bool parse_indices(const char *word, int64_t *indices, size_t limit, size_t *count);

/* Digits only, up to INT64_MAX. */
bool parse_integer(const char *word, int64_t *integer);

/* "0.5,0.4,0.3", or one number for all three channels; finite. */
bool parse_channels(const char *word, float numbers[3]);

/* Index of `word` in a list ended by NULL, or -1. */
int find_word(const char *const *words, const char *word);

/* --precision's word. An exit code. */
int take_precision(const subcommand *command, const char *word, rf_precision *precision);

/* The one word that getopt_long left over, a model's file. An exit code. */
int take_model(const subcommand *command, int argc, char **argv, const char **model);

/* Tells what getopt_long disliked, given its answer and the options it was called with. */
int bad_option(const subcommand *command, int answer, char **argv);

#endif
