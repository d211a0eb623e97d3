/* SPDX-License-Identifier: MIT */
#include "ranks.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* MPI counts in int: what is longer goes piece by piece. */
enum { PIECE = 1 << 24, TAG = 1 };

static int piece_of(size_t left)
{
    return left < PIECE ? (int)left : PIECE;
}

int rank_here(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

int rank_count(void)
{
    int count;
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    return count;
}

int ranks_agree(int code)
{
    int worst;
    MPI_Allreduce(&code, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return worst;
}

int ranks_in_turn(int (*step)(void *context), void *context)
{
    int code = ranks_agree(rank_here() == 0 ? step(context) : 0);
    if (code == 0 && rank_here() != 0)
        code = step(context);
    return ranks_agree(code);
}

bool ranks_share(char **bytes, size_t *count)
{
    uint64_t total = *count;
    MPI_Bcast(&total, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    if (rank_here() != 0) {
        *bytes = malloc(total ? (size_t)total : 1);
        *count = (size_t)total;
    }
    if (ranks_agree(*bytes ? 0 : 1) != 0) {
        if (rank_here() != 0)
            free(*bytes);
        *bytes = rank_here() == 0 ? *bytes : NULL;
        return false;
    }
    for (size_t at = 0; at < *count; at += PIECE)
        MPI_Bcast(*bytes + at, piece_of(*count - at), MPI_CHAR, 0, MPI_COMM_WORLD);
    return true;
}

static void send(const char *bytes, size_t count)
{
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Send(bytes + at, piece_of(count - at), MPI_CHAR, 0, TAG, MPI_COMM_WORLD);
}

static void receive(char *bytes, size_t count, int from)
{
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Recv(bytes + at, piece_of(count - at), MPI_CHAR, from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* Room at rank 0 for what each rank has. */
static bool make_parts(char **parts, size_t *counts, const uint64_t *totals)
{
    bool enough = true;
    for (int r = 0; r < rank_count(); r++) {
        counts[r] = (size_t)totals[r];
        parts[r] = malloc(counts[r] ? counts[r] : 1);
        enough = enough && parts[r];
    }
    return enough;
}

bool ranks_gather(const char *bytes, size_t count, char **parts, size_t *counts)
{
    uint64_t own = count, *totals = calloc((size_t)rank_count(), sizeof *totals);
    if (ranks_agree(totals ? 0 : 1) != 0) {
        free(totals);
        return false;
    }
    MPI_Gather(&own, 1, MPI_UINT64_T, totals, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    bool enough = rank_here() != 0 || make_parts(parts, counts, totals);
    free(totals);
    if (ranks_agree(enough ? 0 : 1) != 0)
        return false;
    if (rank_here() != 0) {
        send(bytes, count);
        return true;
    }
    memcpy(parts[0], bytes, count);
    for (int r = 1; r < rank_count(); r++)
        receive(parts[r], counts[r], r);
    return true;
}

void ranks_average(float *numbers, size_t count)
{
    const float share = 1.0f / (float)rank_count();
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Allreduce(MPI_IN_PLACE, numbers + at, piece_of(count - at), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    for (size_t i = 0; i < count; i++)
        numbers[i] *= share;
}

double ranks_mean(double number)
{
    double sum;
    MPI_Allreduce(&number, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return sum / rank_count();
}

void ranks_copy(float *numbers, size_t count)
{
    for (size_t at = 0; at < count; at += PIECE)
        MPI_Bcast(numbers + at, piece_of(count - at), MPI_FLOAT, 0, MPI_COMM_WORLD);
}
