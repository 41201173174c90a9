/* OpenBLAS takes buffers before main begins, and where it gets none it tries again for ever, deaf to signals. So it is
 * tried first, before any library of the program is set up, whether there is address space for them. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* What a thread of OpenBLAS takes at the start: its stack and its part of the heap. What a thread of ours takes with its first
 * product: the buffer that OpenBLAS gives it. What the process takes besides. In MiB. */
enum { PER_BLAS_THREAD = 64, PER_THREAD = 128, BESIDES = 320 };

/* The first of the variables that is a number, else the cores that the process may use. */
static long threads(const char *const *names, char **environment) {
    for (; *names; names++)
        for (char **entry = environment; entry && *entry; entry++)
            if (strncmp(*entry, *names, strlen(*names)) == 0) {
                long asked = atol(*entry + strlen(*names));
                if (asked > 0) return asked;
            }
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

static void require_address_space(int count, char **arguments, char **environment) {
    (void)count, (void)arguments;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    static const char *const blas[] = {"OPENBLAS_NUM_THREADS=", "GOTO_NUM_THREADS=", "OMP_NUM_THREADS=", NULL};
    static const char *const own[] = {"PROLOGUE_THREADS=", NULL};
    long needed = BESIDES + PER_BLAS_THREAD * threads(blas, environment) + PER_THREAD * threads(own, environment);
    size_t bytes = (size_t)needed << 20;
    void *space = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space != MAP_FAILED) {
        munmap(space, bytes);
        return;
    }
    char text[300];
    int length = snprintf(
        text, sizeof text,
        "error: too little memory: to begin with, %ld MiB of address space are needed beside the program itself, and the limit "
        "is %ld MiB in all (ulimit -v); raise it, or set PROLOGUE_THREADS=1 and OPENBLAS_NUM_THREADS=1\n",
        needed, (long)(limit.rlim_cur >> 20));
    if (write(STDERR_FILENO, text, (size_t)length) < 0) _exit(3);
    _exit(2);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(int, char **, char **) =
    require_address_space;
