// Stand-ins for VMM processes: idle, small, and each with the command line of a QEMU guest, so that vmgauge discovers them by executable.
// usage: standins <n> <threads> <first index> <tap prefix or ->
// Prints one pid a line and then "ready"; all of them end with it, and it ends with its standard input.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_BYTES 65536
#define READY_FD 3

static void *idle(void *unused) {
  for (;;) pause();
  return unused;
}

static int open_tap(const char *name) {
  struct ifreq request = {0};
  int fd = open("/dev/net/tun", O_RDWR);
  if (fd < 0) return -1;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  return ioctl(fd, TUNSETIFF, &request);
}

// The guest: told by the environment how many threads it has and which tap it holds.
static int guest(void) {
  const char *tap = getenv("STANDIN_TAP");
  int threads = atoi(getenv("STANDIN_THREADS"));
  char answer = '.';
  if (tap && open_tap(tap) < 0) answer = 'x';
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, STACK_BYTES);
  for (int i = 1; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &small, idle, NULL) != 0) answer = 'x';
  }
  if (write(READY_FD, &answer, 1) != 1) return 1;
  close(READY_FD);
  idle(NULL);
  return 0;
}

static void start(int index, const char *threads, const char *tap_prefix) {
  char uuid[40], name[40], tap[IFNAMSIZ];
  snprintf(uuid, sizeof uuid, "5b0e5a2c-8f3d-4c1e-9a77-%012x", index);
  snprintf(name, sizeof name, "guest=vm-%06d", index);
  setenv("STANDIN_THREADS", threads, 1);
  if (strcmp(tap_prefix, "-") != 0) {
    snprintf(tap, sizeof tap, "%s%d", tap_prefix, index);
    setenv("STANDIN_TAP", tap, 1);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  execl("/proc/self/exe", "qemu-system-x86_64", "-uuid", uuid, "-name", name, "-m", "512", "-smp", "2", "-nodefaults", NULL);
  _exit(1);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-uuid") == 0) return guest();
  if (argc != 5) return 2;
  int n = atoi(argv[1]), first = atoi(argv[3]), ready[2];
  if (strcmp(argv[4], "-") != 0 && unshare(CLONE_NEWNET) != 0) return perror("unshare"), 1;
  if (pipe(ready) != 0) return perror("pipe"), 1;
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid < 0) return perror("fork"), 1;
    if (pid == 0) {
      dup2(ready[1], READY_FD);
      if (ready[0] != READY_FD) close(ready[0]);
      if (ready[1] != READY_FD) close(ready[1]);
      start(first + i, argv[2], argv[4]);
    }
    printf("%d\n", pid);
  }
  char answer;
  for (int i = 0; i < n; i++)
    if (read(ready[0], &answer, 1) != 1 || answer != '.') return fprintf(stderr, "a stand-in could not open its tap or start its threads\n"), 1;
  printf("ready\n");
  fflush(stdout);
  while (read(0, &answer, 1) > 0) {
  }
  return 0;
}
