// What one sync of 64 KiB costs here.
// usage: sync FILE TIMES     prints its 99th percentile in milliseconds
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int ascending(const void *a, const void *b) {
    const double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    if (count != 3) return 64;
    const int times = atoi(arguments[2]);
    double *took = calloc(times, sizeof *took);
    const int file = open(arguments[1], O_CREAT | O_WRONLY, 0600);
    static char block[65536];
    memset(block, 7, sizeof block);
    if (file < 0 || !took || times < 1) return 74;
    for (int index = 0; index < times; index++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        if (write(file, block, sizeof block) != sizeof block || fdatasync(file) != 0) return 74;
        clock_gettime(CLOCK_MONOTONIC, &end);
        took[index] = (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6;
    }
    qsort(took, times, sizeof *took, ascending);
    printf("%.3f\n", took[times * 99 / 100]);
    return close(file);
}
