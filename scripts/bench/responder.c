/* What all probers probe: one process, one epoll. TCP on ports 7001 (accepts, says nothing) and 7002 (HTTP/1.1, 200
 * "ok" and close), UDP echo on 7003, answered from the address that was asked. The TCP port is closed by the prober. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP = 7001, HTTP = 7002, UDP = 7003, BATCH = 256 };
static const char ANSWER[] = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n";

static int open_socket(int type, int port) {
  int on = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (type == SOCK_DGRAM) setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) _exit(2);
  if (type == SOCK_STREAM && listen(fd, 4096)) _exit(3);
  return fd;
}

static void watch(int poll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int poll, int listener) {
  for (int fd; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) watch(poll, fd);
}

static void answer(int fd) {
  char request[4096];
  ssize_t length = recv(fd, request, sizeof request, 0);
  if (length > 0) {
    send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
  } else {
    close(fd);
  }
}

static void echo_all(int fd) {
  for (;;) {
    char data[2048], control[256];
    struct sockaddr_in peer;
    struct iovec part = {data, sizeof data};
    struct msghdr message = {&peer, sizeof peer, &part, 1, control, sizeof control, 0};
    ssize_t length = recvmsg(fd, &message, 0);
    if (length < 0) return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);
      info->ipi_spec_dst = info->ipi_addr;
      info->ipi_ifindex = 0;
    }
    part.iov_len = length;
    sendmsg(fd, &message, 0);
  }
}

int main(void) {
  int tcp = open_socket(SOCK_STREAM, TCP), http = open_socket(SOCK_STREAM, HTTP), udp = open_socket(SOCK_DGRAM, UDP);
  int poll = epoll_create1(0);
  watch(poll, tcp), watch(poll, http), watch(poll, udp);
  write(1, "ready\n", 6);
  for (struct epoll_event ready[BATCH];;) {
    int count = epoll_wait(poll, ready, BATCH, -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == tcp || fd == http) accept_all(poll, fd);
      else if (fd == udp) echo_all(fd);
      else answer(fd);
    }
  }
}
