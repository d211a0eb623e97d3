/* SPDX-License-Identifier: MIT */
#include "file_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "ranks.h"

static int by_bytes(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool is_wanted(DIR *directory, const char *name)
{
    struct stat status;
    return name[0] != '.' && fstatat(dirfd(directory), name, &status, 0) == 0 && !S_ISDIR(status.st_mode);
}

/* Appends a name with its NUL; false without memory. */
static bool add_name(char **bytes, size_t *count, size_t *room, const char *name)
{
    size_t length = strlen(name) + 1;
    if (*count + length > *room) {
        size_t wanted = 2 * (*count + length) + 4096;
        char *grown = realloc(*bytes, wanted);
        if (!grown)
            return false;
        *bytes = grown;
        *room = wanted;
    }
    memcpy(*bytes + *count, name, length);
    *count += length;
    return true;
}

/* Rank 0's part; an errno, or 0. */
static int read_names(const char *path, char **bytes, size_t *count)
{
    size_t room = 0;
    bool complete = true;
    DIR *directory = opendir(path);
    if (!directory)
        return errno;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            break;
        if (is_wanted(directory, entry->d_name))
            complete = complete && add_name(bytes, count, &room, entry->d_name);
    }
    int reason = complete ? errno : ENOMEM;
    closedir(directory);
    return reason;
}

static bool find_names(file_list *files, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        files->count += files->bytes[i] == 0;
    files->names = calloc(files->count + 1, sizeof *files->names);
    if (!files->names)
        return false;
    const char *name = files->bytes;
    for (size_t i = 0; i < files->count; i++, name += strlen(name) + 1)
        files->names[i] = name;
    qsort(files->names, files->count, sizeof *files->names, by_bytes);
    return true;
}

int files_open(file_list *files, const char *directory)
{
    size_t bytes = 0;
    int code = DONE;
    *files = (file_list){0};
    if (rank_here() == 0) {
        int reason = read_names(directory, &files->bytes, &bytes);
        if (reason)
            code = complain(directory, "cannot be read: %s", strerror(reason));
        else if (bytes == 0)
            code = complain(directory, "there are no files in it");
    }
    code = ranks_agree(code);
    if (code != DONE)
        return code;
    if (!ranks_share(&files->bytes, &bytes))
        return rank_here() == 0 ? complain(directory, "no memory for the names of the files") : BAD_INPUT;
    code = find_names(files, bytes) ? DONE : complain(directory, "no memory for the names of the files");
    return ranks_agree(code);
}

void files_close(file_list *files)
{
    free(files->names);
    free(files->bytes);
    *files = (file_list){0};
}
