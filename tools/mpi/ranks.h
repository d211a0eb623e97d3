/* SPDX-License-Identifier: MIT */
/* What several processes do together. Every rank must make each of these calls, or all wait for it. */
#ifndef RFIELD_TOOLS_MPI_RANKS_H
#define RFIELD_TOOLS_MPI_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* This process's number, and how many there are. */
int rank_here(void);
int rank_count(void);

/* The worst exit code of all ranks, so that all go on or all stop. Whoever has failed has said why. */
int ranks_agree(int code);

/* A step that fails alike everywhere: rank 0 takes it first and complains for all, the others only where it went
 * well there. The worst exit code. */
int ranks_in_turn(int (*step)(void *context), void *context);

/* Rank 0's bytes, for all: *bytes and *count are what rank 0 has, and elsewhere receive a copy to be given back
 * with free(). False, on all ranks, where one of them has no memory. */
bool ranks_share(char **bytes, size_t *count);

/* Brings the bytes of every rank to rank 0, which receives a copy of each to be given back with free(); `parts` and
 * `counts` have an entry for each rank. False, on all ranks, where rank 0 has no memory. */
bool ranks_gather(const char *bytes, size_t count, char **parts, size_t *counts);

/* Each number becomes the mean over all ranks, the same bits on every rank. */
void ranks_average(float *numbers, size_t count);
double ranks_mean(double number);

/* Rank 0's numbers, for all. */
void ranks_copy(float *numbers, size_t count);

#endif
