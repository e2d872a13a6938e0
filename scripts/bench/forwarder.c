/* A way of a fixed length between two tun devices: forwarder FD FD MICROSECONDS. Each packet leaves on the other device
 * that long after it came. One delay for all, so a queue in order of arrival is enough. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/select.h>

enum { PACKETS = 65536, LARGEST = 1600 };
static struct packet { int64_t due; int to, length; char data[LARGEST]; } *queue;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  int fd[2] = {atoi(arguments[1]), atoi(arguments[2])};
  int64_t delay = atoll(arguments[3]);
  uint32_t head = 0, tail = 0;
  queue = malloc(sizeof *queue * PACKETS);
  for (;;) {
    struct timespec wait, *until = 0;
    if (head != tail) {
      int64_t left = queue[head % PACKETS].due - now_us();
      if (left < 0) left = 0;
      wait = (struct timespec){left / 1000000, left % 1000000 * 1000};
      until = &wait;
    }
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(fd[0], &readable), FD_SET(fd[1], &readable);
    pselect((fd[0] > fd[1] ? fd[0] : fd[1]) + 1, &readable, 0, 0, until, 0);
    int64_t now = now_us();
    for (int side = 0; side < 2; side++)
      while (FD_ISSET(fd[side], &readable) && tail - head < PACKETS) {
        struct packet *p = &queue[tail % PACKETS];
        if ((p->length = read(fd[side], p->data, LARGEST)) <= 0) break;
        p->due = now + delay, p->to = fd[!side], tail++;
      }
    for (now = now_us(); head != tail && queue[head % PACKETS].due <= now; head++) {
      struct packet *p = &queue[head % PACKETS];
      if (write(p->to, p->data, p->length) < 0) continue; /* a full device drops it, as a wire would */
    }
  }
}
