// A wall clock that can be stepped under a running program: cc -shared -fPIC -O2 -o clockshim.so clockshim.c -ldl
//
// LD_PRELOAD=clockshim.so CLOCKSHIM_FILE=file program
//
// The file holds a number of milliseconds as text, by which the wall clock differs from the true one. It is read again at
// each call, so that writing it (in place or by renaming) steps the clock of every program that runs with it; while it is
// absent or empty the last number holds. Without the variable, as in a child that gets an environment of its own, it is
// `clock` beside the library. The variable's name doesn't begin with EDGETICK_: the product warns of such keys that it
// doesn't know. The monotonic clocks are left alone. Timers that end at a wall time are passed to the kernel in true time,
// so that none waits longer or shorter for the difference: libfaketime stops them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// Copied at the start: programs clear their environment.
static char path[4096];
static int64_t last;

__attribute__((constructor)) static void remember_path(void)
{
    const char *name = getenv("CLOCKSHIM_FILE");
    Dl_info library;
    if (name) {
        if (strlen(name) < sizeof path) strcpy(path, name);
    } else if (dladdr((void *)remember_path, &library) && strlen(library.dli_fname) + 8 < sizeof path) {
        strcpy(path, library.dli_fname);
        char *end = strrchr(path, '/');
        strcpy(end ? end + 1 : path, "clock");
    }
}

// By plain system calls, which are no cancellation points and can't come back to the functions below.
static int64_t offset_milliseconds(void)
{
    int before = errno;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (path[0] && file >= 0) {
        char text[32] = {0};
        long count = syscall(SYS_read, file, text, sizeof text - 1);
        char *end = text;
        long long number = count > 0 ? strtoll(text, &end, 10) : 0;
        if (end != text) __atomic_store_n(&last, number, __ATOMIC_RELAXED);
    }
    if (file >= 0) syscall(SYS_close, file);
    errno = before;
    return __atomic_load_n(&last, __ATOMIC_RELAXED);
}

static void shift(struct timespec *time, int64_t milliseconds)
{
    int64_t nanoseconds = time->tv_nsec + milliseconds % 1000 * 1000000;
    time->tv_sec += milliseconds / 1000;
    if (nanoseconds < 0) { nanoseconds += 1000000000; time->tv_sec--; }
    if (nanoseconds >= 1000000000) { nanoseconds -= 1000000000; time->tv_sec++; }
    time->tv_nsec = nanoseconds;
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

// Reading the clock.

int clock_gettime(clockid_t clock, struct timespec *time)
{
    NEXT(clock_gettime);
    int result = next(clock, time);
    if (result == 0 && is_wall(clock)) shift(time, offset_milliseconds());
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

// Waiting until a wall time.

static const struct timespec *in_true_time(const struct timespec *until, struct timespec *moved)
{
    *moved = *until;
    shift(moved, -offset_milliseconds());
    return moved;
}

// Some don't say which clock is meant; no machine has been up for fifteen years.
static int looks_wall(const struct timespec *until) { return until->tv_sec > 473385600; }

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    NEXT(pthread_cond_timedwait);
    struct timespec moved;
    return next(condition, mutex, looks_wall(until) ? in_true_time(until, &moved) : until);
}

int pthread_cond_clockwait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    NEXT(pthread_cond_clockwait);
    struct timespec moved;
    return next(condition, mutex, clock, is_wall(clock) ? in_true_time(until, &moved) : until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    NEXT(pthread_mutex_timedlock);
    struct timespec moved;
    return next(mutex, in_true_time(until, &moved));
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    NEXT(sem_timedwait);
    struct timespec moved;
    return next(semaphore, in_true_time(until, &moved));
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until)
{
    NEXT(sem_clockwait);
    struct timespec moved;
    return next(semaphore, clock, is_wall(clock) ? in_true_time(until, &moved) : until);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left)
{
    NEXT(clock_nanosleep);
    struct timespec moved;
    return next(clock, flags, is_wall(clock) && flags & TIMER_ABSTIME ? in_true_time(until, &moved) : until, left);
}

int timerfd_settime(int timer, int flags, const struct itimerspec *time, struct itimerspec *old)
{
    NEXT(timerfd_settime);
    if (!(flags & TFD_TIMER_ABSTIME) || !looks_wall(&time->it_value)) return next(timer, flags, time, old);
    struct itimerspec moved = *time;
    in_true_time(&time->it_value, &moved.it_value);
    return next(timer, flags, &moved, old);
}
