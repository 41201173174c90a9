#define _GNU_SOURCE
#include "kernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A pool of threads that wait spinning for a moment, then asleep: most kernels last well under a millisecond,
 * and waking a sleeping thread costs a good part of that. */

enum { MAX_THREADS = 64, SPINS = 4000 };

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER; /* one user of the pool at a time */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_ready = PTHREAD_COND_INITIALIZER;

static atomic_int wanted_threads; /* the caller included */
static int started = 0;           /* pool threads running */
static atomic_ulong round_number;
static atomic_bool is_open;       /* whether threads may still join the current round */
static atomic_int joined;         /* pool threads that may be reading the round's fields */
static atomic_long next_chunk;
static long chunk_count;
static chunk_body current_body;
static void *current_context;
static __thread int inside = 0;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void run_chunks(void) {
    long chunk;
    while ((chunk = atomic_fetch_add(&next_chunk, 1)) < chunk_count) current_body(current_context, chunk);
}

static void *worker(void *argument) {
    unsigned long seen = (unsigned long)(uintptr_t)argument;
    inside = 1;
    for (;;) {
        int spins = 0;
        while (atomic_load(&round_number) == seen && spins < SPINS) { relax(); spins++; }
        if (atomic_load(&round_number) == seen) {
            pthread_mutex_lock(&gate);
            while (atomic_load(&round_number) == seen) pthread_cond_wait(&work_ready, &gate);
            pthread_mutex_unlock(&gate);
        }
        seen = atomic_load(&round_number);
        /* A thread that wakes too late finds the round closed and does not delay the others. */
        atomic_fetch_add(&joined, 1);
        if (atomic_load(&is_open)) run_chunks();
        atomic_fetch_sub(&joined, 1);
    }
    return NULL;
}

static int limited(long count) { return (int)(count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count); }

/* Before main, so that a mistake stops the program before it has begun anything. */
__attribute__((constructor)) static void read_thread_count(void) {
    const char *wanted = getenv("PROLOGUE_THREADS");
    if (wanted && *wanted) {
        char *end;
        long count = strtol(wanted, &end, 10);
        if (*end || count < 1) {
            fprintf(stderr, "error: PROLOGUE_THREADS=%s is no number of threads; expected a whole number from 1 on\n", wanted);
            exit(2);
        }
        wanted_threads = limited(count);
    } else {
        cpu_set_t allowed;
        wanted_threads = limited(sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1);
    }
}

/* Takes no lock: chunk bodies ask too, while their caller owns the pool. */
int parallel_thread_count(void) { return wanted_threads; }

void parallel_set_thread_count(int count) { wanted_threads = limited(count); }

void parallel_chunks(long chunks, chunk_body body, void *context) {
    int threads = parallel_thread_count();
    if (chunks <= 1 || threads == 1 || inside || kernels_limited() || pthread_mutex_trylock(&owner) != 0) {
        for (long chunk = 0; chunk < chunks; chunk++) body(context, chunk);
        return;
    }
    while (started < threads - 1) {
        pthread_t thread;
        void *seen = (void *)(uintptr_t)atomic_load(&round_number);
        if (pthread_create(&thread, NULL, worker, seen) != 0) break;
        pthread_detach(thread);
        started++;
    }
    inside = 1;
    current_body = body;
    current_context = context;
    chunk_count = chunks;
    atomic_store(&next_chunk, 0);
    atomic_store(&is_open, 1);
    pthread_mutex_lock(&gate);
    atomic_fetch_add(&round_number, 1);
    pthread_cond_broadcast(&work_ready);
    pthread_mutex_unlock(&gate);
    run_chunks();
    /* No chunk is left to take; wait only for threads that are working on one. */
    atomic_store(&is_open, 0);
    int spins = 0;
    while (atomic_load(&joined) > 0) {
        if (++spins < SPINS) relax(); else sched_yield();
    }
    inside = 0;
    pthread_mutex_unlock(&owner);
}
