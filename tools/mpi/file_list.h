/* SPDX-License-Identifier: MIT */
/* The files of a directory, the same list on every rank. */
#ifndef RFIELD_TOOLS_MPI_FILE_LIST_H
#define RFIELD_TOOLS_MPI_FILE_LIST_H

#include <stddef.h>

typedef struct file_list {
    char *bytes;       /* all names, each ended by NUL */
    const char **names;
    size_t count;
} file_list;

/* What is in the directory but for directories and names that begin with a dot, by the values of its bytes. Every
 * rank must call it. An exit code, the same on all; close it in either case. */
int files_open(file_list *files, const char *directory);
void files_close(file_list *files);

#endif
