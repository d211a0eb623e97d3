/* SPDX-License-Identifier: MIT */
#include "run_words.h"

#include <string.h>

#include "command.h"

/* Bytes of `name` where the word begins with it and '='; 0 otherwise. */
static size_t match(const char *word, const char *name)
{
    size_t bytes = strlen(name);
    return strncmp(word, name, bytes) == 0 && word[bytes] == '=' ? bytes : 0;
}

/* Names may hold '=' and so may files: what is a tensor's name decides, the longest if several. */
int read_word(const char *model, const char *what, const char *word, const rf_tensor *tensors, size_t count,
              run_word *found)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = match(word, tensors[i].name);
        if (bytes <= longest)
            continue;
        longest = bytes;
        *found = (run_word){i, word + bytes + 1};
    }
    if (longest)
        return DONE;
    const char *equals = strchr(word, '=');
    if (equals)
        return complain(model, "the network has no %s '%.*s'; it has %zu, the first '%.80s'", what,
                        (int)(equals - word < 80 ? equals - word : 80), word, count, count ? tensors[0].name : "");
    if (count != 1)
        return complain(model, "the network has %zu %ss, so that --%s must name one: NAME=%.80s", count, what, what,
                        word);
    *found = (run_word){0, word};
    return DONE;
}

bool ends_in(const char *name, const char *ending)
{
    size_t bytes = strlen(name), needed = strlen(ending);
    return bytes >= needed && strcmp(name + bytes - needed, ending) == 0;
}
